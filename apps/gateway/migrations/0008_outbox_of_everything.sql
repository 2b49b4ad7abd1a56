DROP INDEX "push_messages_place";--> statement-breakpoint
DROP INDEX "push_messages_created";--> statement-breakpoint
ALTER TABLE "push_messages" ALTER COLUMN "created_utc" SET DEFAULT clock_timestamp();--> statement-breakpoint
ALTER TABLE "push_messages" ADD COLUMN "critical" boolean DEFAULT true NOT NULL;--> statement-breakpoint
CREATE INDEX "push_messages_in_no_log" ON "push_messages" USING btree ("id") WHERE "push_messages"."cursor" IS NULL;--> statement-breakpoint
CREATE INDEX "push_messages_critical_created" ON "push_messages" USING btree ("created_utc") WHERE "push_messages"."critical";