ALTER TABLE "events" ADD COLUMN "value" double precision;--> statement-breakpoint
ALTER TABLE "events" ADD COLUMN "geo" text;