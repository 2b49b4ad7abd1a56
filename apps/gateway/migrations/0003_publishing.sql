CREATE TABLE "push_requests" (
	"token_id" uuid NOT NULL,
	"key" text NOT NULL,
	"body_hash" text NOT NULL,
	"ids" uuid[] NOT NULL,
	"created_utc" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "push_requests_token_id_key_pk" PRIMARY KEY("token_id","key")
);
--> statement-breakpoint
ALTER TABLE "push_requests" ADD CONSTRAINT "push_requests_token_id_tokens_id_fk" FOREIGN KEY ("token_id") REFERENCES "public"."tokens"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "push_requests_created" ON "push_requests" USING btree ("created_utc");