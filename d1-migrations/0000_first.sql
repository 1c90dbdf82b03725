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
	`metadata` text DEFAULT '{}' NOT NULL,
	`created_by` text,
	`created_at` integer NOT NULL,
	`updated_by` text,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`org_id`, `id`)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `credentials_name` ON `credentials` (`org_id`,`name`);--> statement-breakpoint
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
CREATE TABLE `request_log` (
	`org_id` text NOT NULL,
	`request_id` text NOT NULL,
	`team_id` text,
	`user_id` text,
	`key_id` text,
	`key_handle` text,
	`customer_id` text,
	`model` text,
	`model_group` text,
	`endpoint` text,
	`stream` integer DEFAULT false NOT NULL,
	`tags` text DEFAULT '[]' NOT NULL,
	`outcome` text,
	`status` integer,
	`usage` text,
	`prompt_tokens` integer DEFAULT 0 NOT NULL,
	`completion_tokens` integer DEFAULT 0 NOT NULL,
	`cost_nano` integer DEFAULT 0 NOT NULL,
	`attempts` text DEFAULT '[]' NOT NULL,
	`started_at` integer NOT NULL,
	`duration_ms` integer,
	`time_to_first_token_ms` integer,
	`settled_at` integer,
	`decision` text,
	`outcome_record` text,
	PRIMARY KEY(`org_id`, `request_id`)
);
--> statement-breakpoint
CREATE INDEX `request_log_time` ON `request_log` (`org_id`,`started_at`);--> statement-breakpoint
CREATE INDEX `request_log_key` ON `request_log` (`org_id`,`key_id`);--> statement-breakpoint
CREATE INDEX `request_log_team` ON `request_log` (`org_id`,`team_id`);--> statement-breakpoint
CREATE TABLE `team_members` (
	`org_id` text NOT NULL,
	`team_id` text NOT NULL,
	`user_id` text NOT NULL,
	`role` text DEFAULT 'user' NOT NULL,
	`max_budget_nano` integer,
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
CREATE TABLE `users` (
	`org_id` text NOT NULL,
	`id` text NOT NULL,
	`email` text,
	`alias` text,
	`role` text NOT NULL,
	`active` integer DEFAULT true NOT NULL,
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
CREATE UNIQUE INDEX `users_email` ON `users` (`org_id`,`email`);