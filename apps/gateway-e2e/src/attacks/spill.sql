-- Makes the database fail on marked values, and repeat them in what it says, as it does with values of its own accord.
CREATE FUNCTION spill() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE row text;
BEGIN
  IF TG_OP = 'DELETE' THEN row = row_to_json(OLD)::text; ELSE row = row_to_json(NEW)::text; END IF;
  IF row LIKE '%zebra%' THEN RAISE EXCEPTION 'spilt %', row USING DETAIL = row, HINT = row; END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;
-- Insert, by a statement as text; update, outside of a transaction; delete, inside of one.
CREATE TRIGGER spill BEFORE INSERT OR UPDATE ON events FOR EACH ROW EXECUTE FUNCTION spill();
CREATE TRIGGER spill BEFORE DELETE ON tokens FOR EACH ROW EXECUTE FUNCTION spill();
CREATE TRIGGER spill BEFORE UPDATE ON push_messages FOR EACH ROW EXECUTE FUNCTION spill();
-- With the hash of a password, and that of a link's secret.
CREATE TRIGGER spill BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION spill();
CREATE TRIGGER spill BEFORE INSERT ON invitations FOR EACH ROW EXECUTE FUNCTION spill();
CREATE TRIGGER spill BEFORE INSERT ON push_requests FOR EACH ROW EXECUTE FUNCTION spill();
-- A check, a foreign key, a unique key: their details have the row.
ALTER TABLE organizations ADD CONSTRAINT no_zebras CHECK (name NOT LIKE 'zebra%');
CREATE TABLE known_names (name text PRIMARY KEY);
INSERT INTO known_names SELECT DISTINCT name FROM projects;
ALTER TABLE projects ADD CONSTRAINT known FOREIGN KEY (name) REFERENCES known_names (name);
CREATE UNIQUE INDEX one_of_a_kind ON tokens (notes);
