CREATE TABLE `audit_events` (
	`org_id` text NOT NULL,
	`event_id` text NOT NULL,
	`type` text NOT NULL,
	`at` integer NOT NULL,
	`team_id` text,
	`key_handle` text,
	`actor` text NOT NULL,
	`request_id` text,
	`data` text DEFAULT '{}' NOT NULL,
	PRIMARY KEY(`org_id`, `event_id`)
);
--> statement-breakpoint
CREATE INDEX `audit_events_time` ON `audit_events` (`org_id`,`at`,`event_id`);--> statement-breakpoint
CREATE TABLE `changes` (
	`org_id` text NOT NULL,
	`id` text NOT NULL,
	`applied_at` integer NOT NULL,
	PRIMARY KEY(`org_id`, `id`)
);
--> statement-breakpoint
CREATE TABLE `credentials` (
	`org_id` text NOT NULL,
	`id` text NOT NULL,
	`name` text,
	`provider` text NOT NULL,
	`host` text NOT NULL,
	`version` integer NOT NULL,
	`sealed` text NOT NULL,
	`last_four` text NOT NULL,
	`api_base` text,
	`byok` integer DEFAULT false NOT NULL,
	`metadata` text DEFAULT '{}' NOT NULL,
	`created_by` text,
	`created_at` integer NOT NULL,
	`updated_by` text,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`org_id`, `id`)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `credentials_name` ON `credentials` (`org_id`,`name`);--> statement-breakpoint
CREATE UNIQUE INDEX `credentials_byok` ON `credentials` (`org_id`,`provider`) WHERE "credentials"."byok" = 1;--> statement-breakpoint
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
CREATE TABLE `deployments` (
	`org_id` text NOT NULL,
	`id` text NOT NULL,
	`model_group` text NOT NULL,
	`provider` text NOT NULL,
	`model` text NOT NULL,
	`protocol` text NOT NULL,
	`base_url` text NOT NULL,
	`credential_id` text,
	`region` text,
	`weight` real DEFAULT 1 NOT NULL,
	`sort_order` integer DEFAULT 0 NOT NULL,
	`tags` text DEFAULT '[]' NOT NULL,
	`timeout_ms` integer,
	`facts` text DEFAULT '{}' NOT NULL,
	`litellm_params` text DEFAULT '{}' NOT NULL,
	`model_info` text DEFAULT '{}' NOT NULL,
	`created_by` text,
	`created_at` integer NOT NULL,
	`updated_by` text,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`org_id`, `id`)
);
--> statement-breakpoint
CREATE INDEX `deployments_group` ON `deployments` (`org_id`,`model_group`);--> statement-breakpoint
CREATE TABLE `keys` (
	`org_id` text NOT NULL,
	`id` text NOT NULL,
	`handle` text NOT NULL,
	`name` text NOT NULL,
	`alias` text,
	`key_type` text DEFAULT 'default' NOT NULL,
	`team_id` text,
	`user_id` text,
	`models` text DEFAULT '[]' NOT NULL,
	`aliases` text DEFAULT '{}' NOT NULL,
	`allowed_ips` text DEFAULT '[]' NOT NULL,
	`expires_at` integer,
	`blocked` integer DEFAULT false NOT NULL,
	`revision` integer DEFAULT 1 NOT NULL,
	`hash` text NOT NULL,
	`pepper_version` integer NOT NULL,
	`previous_hash` text,
	`previous_pepper_version` integer,
	`previous_until` integer,
	`tags` text DEFAULT '[]' NOT NULL,
	`policy_id` text,
	`router_settings` text DEFAULT '{}' NOT NULL,
	`metadata` text DEFAULT '{}' NOT NULL,
	`max_budget_nano` integer,
	`soft_budget_nano` integer,
	`budget_duration` text,
	`budget_reset_at` integer,
	`tpm_limit` integer,
	`rpm_limit` integer,
	`max_parallel_requests` integer,
	`model_max_budget` text DEFAULT '{}' NOT NULL,
	`temp_budget_nano` integer,
	`temp_budget_until` integer,
	`created_by` text,
	`created_at` integer NOT NULL,
	`updated_by` text,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`org_id`, `id`)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `keys_handle` ON `keys` (`org_id`,`handle`);--> statement-breakpoint
CREATE UNIQUE INDEX `keys_alias` ON `keys` (`org_id`,`alias`);--> statement-breakpoint
CREATE INDEX `keys_team` ON `keys` (`org_id`,`team_id`);--> statement-breakpoint
CREATE INDEX `keys_user` ON `keys` (`org_id`,`user_id`);--> statement-breakpoint
CREATE TABLE `organizations` (
	`id` text PRIMARY KEY NOT NULL,
	`chosen_id` text,
	`alias` text NOT NULL,
	`models` text DEFAULT '[]' NOT NULL,
	`blocked` integer DEFAULT false NOT NULL,
	`default_team_id` text,
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
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `organizations_chosen_id` ON `organizations` (`chosen_id`);--> statement-breakpoint
CREATE INDEX `organizations_created` ON `organizations` (`created_at`,`id`);--> statement-breakpoint
CREATE TABLE `team_members` (
	`org_id` text NOT NULL,
	`team_id` text NOT NULL,
	`user_id` text NOT NULL,
	`role` text DEFAULT 'user' NOT NULL,
	`max_budget_nano` integer,
	`tpm_limit` integer,
	`rpm_limit` integer,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`org_id`, `team_id`, `user_id`)
);
--> statement-breakpoint
CREATE INDEX `team_members_user` ON `team_members` (`org_id`,`user_id`);--> statement-breakpoint
CREATE TABLE `teams` (
	`org_id` text NOT NULL,
	`id` text NOT NULL,
	`alias` text NOT NULL,
	`models` text DEFAULT '[]' NOT NULL,
	`blocked` integer DEFAULT false NOT NULL,
	`aliases` text DEFAULT '{}' NOT NULL,
	`tags` text DEFAULT '[]' NOT NULL,
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
CREATE UNIQUE INDEX `teams_alias` ON `teams` (`org_id`,`alias`);--> statement-breakpoint
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
CREATE INDEX `usage_rows_day` ON `usage_rows` (`day`);--> statement-breakpoint
CREATE TABLE `users` (
	`org_id` text NOT NULL,
	`id` text NOT NULL,
	`email` text,
	`alias` text,
	`role` text NOT NULL,
	`active` integer DEFAULT true NOT NULL,
	`person_id` text,
	`active_org_id` text,
	`models` text DEFAULT '[]' NOT NULL,
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
CREATE UNIQUE INDEX `users_email` ON `users` (`org_id`,`email`);--> statement-breakpoint
CREATE UNIQUE INDEX `users_person` ON `users` (`person_id`,`org_id`);