DROP INDEX "events_reference";--> statement-breakpoint
ALTER TABLE "events" ADD COLUMN "session_last_activity_utc" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "events" ADD COLUMN "session_closed" boolean;--> statement-breakpoint
ALTER TABLE "events" ADD COLUMN "user_description" jsonb;--> statement-breakpoint
CREATE INDEX "events_reference_newest" ON "events" USING btree ("project_id","reference_id","date") WHERE "events"."reference_id" IS NOT NULL;