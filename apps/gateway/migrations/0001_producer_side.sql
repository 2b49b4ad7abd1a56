CREATE EXTENSION IF NOT EXISTS pg_trgm;--> statement-breakpoint
CREATE TABLE "notifications" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"kind" text NOT NULL,
	"message" text NOT NULL,
	"critical" boolean DEFAULT false NOT NULL,
	"level" text,
	"target" text,
	"date" timestamp (3) with time zone NOT NULL,
	"cleared_utc" timestamp (3) with time zone,
	"created_by" uuid
);
--> statement-breakpoint
CREATE TABLE "usage" (
	"organization_id" uuid NOT NULL,
	"period" text NOT NULL,
	"start_utc" timestamp (3) with time zone NOT NULL,
	"total" bigint DEFAULT 0 NOT NULL,
	"is_over" boolean DEFAULT false NOT NULL,
	CONSTRAINT "usage_organization_id_period_start_utc_pk" PRIMARY KEY("organization_id","period","start_utc")
);
--> statement-breakpoint
DROP INDEX "events_stack";--> statement-breakpoint
DROP INDEX "events_project";--> statement-breakpoint
DROP INDEX "stacks_organization_last";--> statement-breakpoint
DROP INDEX "stacks_project_last";--> statement-breakpoint
ALTER TABLE "notifications" ADD CONSTRAINT "notifications_created_by_users_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."users"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "usage" ADD CONSTRAINT "usage_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "notifications_standing" ON "notifications" USING btree ("kind") WHERE "notifications"."kind" = 'system' AND "notifications"."cleared_utc" IS NULL;--> statement-breakpoint
CREATE INDEX "stacks_organization_first" ON "stacks" USING btree ("organization_id","first_occurrence","id");--> statement-breakpoint
CREATE INDEX "stacks_organization_occurrences" ON "stacks" USING btree ("organization_id","total_occurrences","id");--> statement-breakpoint
CREATE INDEX "stacks_organization_status" ON "stacks" USING btree ("organization_id","status");--> statement-breakpoint
CREATE INDEX "stacks_project_first" ON "stacks" USING btree ("project_id","first_occurrence","id");--> statement-breakpoint
CREATE INDEX "stacks_project_occurrences" ON "stacks" USING btree ("project_id","total_occurrences","id");--> statement-breakpoint
CREATE INDEX "stacks_project_status" ON "stacks" USING btree ("project_id","status");--> statement-breakpoint
CREATE INDEX "stacks_title" ON "stacks" USING gin ("title" gin_trgm_ops);--> statement-breakpoint
CREATE INDEX "stacks_snoozed" ON "stacks" USING btree ("snooze_until_utc") WHERE "stacks"."status" = 'snoozed';--> statement-breakpoint
CREATE INDEX "tokens_expires" ON "tokens" USING btree ("expires_utc") WHERE "tokens"."expires_utc" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "events_stack" ON "events" USING btree ("stack_id","date","id");--> statement-breakpoint
CREATE INDEX "events_project" ON "events" USING btree ("project_id","date","id");--> statement-breakpoint
CREATE INDEX "stacks_organization_last" ON "stacks" USING btree ("organization_id","last_occurrence","id");--> statement-breakpoint
CREATE INDEX "stacks_project_last" ON "stacks" USING btree ("project_id","last_occurrence","id");