CREATE TABLE `budgets` (
	`org_id` text NOT NULL,
	`id` text NOT NULL,
	`route` text,
	`max_budget_nano` integer,
	`soft_budget_nano` integer,
	`budget_duration` text,
	`budget_reset_at` integer,
	`tpm_limit` integer,
	`rpm_limit` integer,
	`max_parallel_requests` integer,
	`model_max_budget` text DEFAULT '{}' NOT NULL,
	`hard_cap_nano` integer,
	`tiers` text,
	`created_by` text,
	`created_at` integer NOT NULL,
	`updated_by` text,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`org_id`, `id`)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `budgets_route` ON `budgets` (`org_id`,`route`);--> statement-breakpoint
ALTER TABLE `customers` ADD `hard_cap_nano` integer;--> statement-breakpoint
ALTER TABLE `customers` ADD `tiers` text;--> statement-breakpoint
ALTER TABLE `customers` ADD `budget_id` text;--> statement-breakpoint
ALTER TABLE `keys` ADD `hard_cap_nano` integer;--> statement-breakpoint
ALTER TABLE `keys` ADD `tiers` text;--> statement-breakpoint
ALTER TABLE `keys` ADD `budget_id` text;--> statement-breakpoint
ALTER TABLE `organizations` ADD `time_zone` text DEFAULT 'UTC' NOT NULL;--> statement-breakpoint
ALTER TABLE `organizations` ADD `hard_cap_nano` integer;--> statement-breakpoint
ALTER TABLE `organizations` ADD `tiers` text;--> statement-breakpoint
ALTER TABLE `organizations` ADD `budget_id` text;--> statement-breakpoint
ALTER TABLE `teams` ADD `hard_cap_nano` integer;--> statement-breakpoint
ALTER TABLE `teams` ADD `tiers` text;--> statement-breakpoint
ALTER TABLE `teams` ADD `budget_id` text;--> statement-breakpoint
ALTER TABLE `users` ADD `hard_cap_nano` integer;--> statement-breakpoint
ALTER TABLE `users` ADD `tiers` text;--> statement-breakpoint
ALTER TABLE `users` ADD `budget_id` text;