-- The messages of a large transaction share a row. PostgreSQL's own method of compression takes several times as long for it; some builds have no other.
DO $$
BEGIN
  ALTER TABLE "push_messages" ALTER COLUMN "message" SET COMPRESSION lz4;
EXCEPTION
  WHEN feature_not_supported THEN NULL;
END
$$;
