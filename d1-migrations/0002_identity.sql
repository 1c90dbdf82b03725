CREATE TABLE `customers` (
	`org_id` text NOT NULL,
	`id` text NOT NULL,
	`alias` text,
	`blocked` integer DEFAULT false NOT NULL,
	`team_id` text,
	`metadata` text DEFAULT '{}' NOT NULL,
	`max_budget_nano` integer,
	`soft_budget_nano` integer,
	`budget_duration` text,
	`budget_reset_at` integer,
	`tpm_limit` integer,
	`rpm_limit` integer,
	`max_parallel_requests` integer,
	`model_max_budget` text DEFAULT '{}' NOT NULL,
	`created_by` text,
	`created_at` integer NOT NULL,
	`updated_by` text,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`org_id`, `id`)
);
--> statement-breakpoint
CREATE INDEX `customers_team` ON `customers` (`org_id`,`team_id`);--> statement-breakpoint
CREATE INDEX `customers_blocked` ON `customers` (`org_id`) WHERE "customers"."blocked" = 1;--> statement-breakpoint
ALTER TABLE `credentials` ADD `api_base` text;--> statement-breakpoint
ALTER TABLE `credentials` ADD `byok` integer DEFAULT false NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX `credentials_byok` ON `credentials` (`org_id`,`provider`) WHERE "credentials"."byok" = 1;--> statement-breakpoint
ALTER TABLE `keys` ADD `previous_hash` text;--> statement-breakpoint
ALTER TABLE `keys` ADD `previous_pepper_version` integer;--> statement-breakpoint
ALTER TABLE `keys` ADD `previous_until` integer;--> statement-breakpoint
ALTER TABLE `keys` ADD `temp_budget_nano` integer;--> statement-breakpoint
ALTER TABLE `keys` ADD `temp_budget_until` integer;--> statement-breakpoint
ALTER TABLE `team_members` ADD `tpm_limit` integer;--> statement-breakpoint
ALTER TABLE `team_members` ADD `rpm_limit` integer;--> statement-breakpoint
ALTER TABLE `users` ADD `person_id` text;--> statement-breakpoint
ALTER TABLE `users` ADD `active_org_id` text;--> statement-breakpoint
CREATE UNIQUE INDEX `users_person` ON `users` (`person_id`,`org_id`);--> statement-breakpoint
CREATE INDEX `request_log_customer` ON `request_log` (`org_id`,`customer_id`);