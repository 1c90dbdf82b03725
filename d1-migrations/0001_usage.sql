CREATE TABLE `usage_daily` (
	`org_id` text NOT NULL,
	`day` text NOT NULL,
	`team_id` text NOT NULL,
	`user_id` text NOT NULL,
	`key_id` text NOT NULL,
	`customer_id` text NOT NULL,
	`model_group` text NOT NULL,
	`model` text NOT NULL,
	`provider` text NOT NULL,
	`requests` integer NOT NULL,
	`successes` integer NOT NULL,
	`failures` integer NOT NULL,
	`prompt_tokens` integer NOT NULL,
	`completion_tokens` integer NOT NULL,
	`cache_read_tokens` integer NOT NULL,
	`cache_write_tokens` integer NOT NULL,
	`tokens` integer NOT NULL,
	`cost_nano` integer NOT NULL,
	PRIMARY KEY(`org_id`, `day`, `team_id`, `user_id`, `key_id`, `customer_id`, `model_group`, `model`, `provider`)
);
--> statement-breakpoint
CREATE TABLE `usage_rows` (
	`org_id` text NOT NULL,
	`request_id` text NOT NULL,
	`day` text NOT NULL,
	`started_at` integer NOT NULL,
	`team_id` text NOT NULL,
	`user_id` text,
	`key_id` text,
	`customer_id` text,
	`model` text NOT NULL,
	`model_group` text,
	`provider` text,
	`outcome` text NOT NULL,
	`status` integer NOT NULL,
	`prompt_tokens` integer NOT NULL,
	`completion_tokens` integer NOT NULL,
	`cost_nano` integer NOT NULL,
	`duration_ms` integer NOT NULL,
	`estimated` integer DEFAULT false NOT NULL,
	`segment` text NOT NULL,
	`revision` integer NOT NULL,
	`applied` integer NOT NULL,
	PRIMARY KEY(`org_id`, `request_id`)
);
--> statement-breakpoint
CREATE INDEX `usage_rows_time` ON `usage_rows` (`org_id`,`started_at`,`request_id`);--> statement-breakpoint
CREATE INDEX `usage_rows_team` ON `usage_rows` (`org_id`,`team_id`,`started_at`);--> statement-breakpoint
CREATE INDEX `usage_rows_key` ON `usage_rows` (`org_id`,`key_id`,`started_at`);--> statement-breakpoint
CREATE INDEX `usage_rows_customer` ON `usage_rows` (`org_id`,`customer_id`,`started_at`);--> statement-breakpoint
CREATE INDEX `usage_rows_day` ON `usage_rows` (`day`);