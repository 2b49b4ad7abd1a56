CREATE TABLE "push_log" (
	"only" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"name" text NOT NULL,
	"generation" integer DEFAULT 1 NOT NULL,
	"floor" text,
	CONSTRAINT "push_log_only" CHECK ("push_log"."only")
);
--> statement-breakpoint
CREATE TABLE "push_messages" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"record_id" uuid NOT NULL,
	"message" text NOT NULL,
	"cursor" text,
	"place" numeric,
	"created_utc" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "push_messages_record_id_unique" UNIQUE("record_id")
);
--> statement-breakpoint
CREATE INDEX "push_messages_place" ON "push_messages" USING btree ("place");--> statement-breakpoint
CREATE INDEX "push_messages_created" ON "push_messages" USING btree ("created_utc");