CREATE TABLE "invitations" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"organization_id" uuid NOT NULL,
	"email" text NOT NULL,
	"hash" text NOT NULL,
	"invited_by" uuid,
	"account_id" uuid,
	"declined_utc" timestamp (3) with time zone,
	"created_utc" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_utc" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "invitations_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "password_resets" (
	"user_id" uuid PRIMARY KEY NOT NULL,
	"hash" text NOT NULL,
	"offered_by" uuid,
	"expires_utc" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "password_resets_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
DROP INDEX "events_reference";--> statement-breakpoint
ALTER TABLE "events" ADD COLUMN "session_last_activity_utc" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "events" ADD COLUMN "session_closed" boolean;--> statement-breakpoint
ALTER TABLE "events" ADD COLUMN "user_description" jsonb;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "locked_utc" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_invited_by_users_id_fk" FOREIGN KEY ("invited_by") REFERENCES "public"."users"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "password_resets" ADD CONSTRAINT "password_resets_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "password_resets" ADD CONSTRAINT "password_resets_offered_by_users_id_fk" FOREIGN KEY ("offered_by") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "invitations_address" ON "invitations" USING btree ("organization_id","email");--> statement-breakpoint
CREATE INDEX "invitations_account" ON "invitations" USING btree ("account_id");--> statement-breakpoint
CREATE INDEX "invitations_inviter" ON "invitations" USING btree ("invited_by");--> statement-breakpoint
CREATE INDEX "invitations_expires" ON "invitations" USING btree ("expires_utc");--> statement-breakpoint
CREATE INDEX "events_reference_newest" ON "events" USING btree ("project_id","reference_id","date") WHERE "events"."reference_id" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "tokens_service" ON "tokens" USING btree ("created_utc") WHERE "tokens"."kind" = 'service';