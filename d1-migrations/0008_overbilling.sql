CREATE TABLE `overbilling` (
	`org_id` text NOT NULL,
	`deployment` text NOT NULL,
	`factor` real NOT NULL,
	`seen_at` integer NOT NULL,
	PRIMARY KEY(`org_id`, `deployment`)
);
