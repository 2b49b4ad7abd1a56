CREATE TABLE "early_amendments" (
	"project_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"reference" text NOT NULL,
	"said" jsonb,
	"closed" boolean,
	"noted_utc" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "early_amendments_project_id_kind_reference_pk" PRIMARY KEY("project_id","kind","reference")
);
--> statement-breakpoint
ALTER TABLE "events" ADD COLUMN "user_identity" text;--> statement-breakpoint
ALTER TABLE "early_amendments" ADD CONSTRAINT "early_amendments_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "early_amendments_oldest" ON "early_amendments" USING btree ("project_id","kind","noted_utc");--> statement-breakpoint
CREATE INDEX "early_amendments_noted" ON "early_amendments" USING btree ("noted_utc");--> statement-breakpoint
CREATE INDEX "events_session_newest" ON "events" USING btree ("project_id","user_identity",("type" = 'session'),"date") WHERE "events"."user_identity" IS NOT NULL;