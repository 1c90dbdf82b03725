CREATE TABLE `policies` (
	`org_id` text NOT NULL,
	`scope` text NOT NULL,
	`version` integer NOT NULL,
	`hash` text NOT NULL,
	`restores` integer,
	`rules` integer NOT NULL,
	`targets` text DEFAULT '[]' NOT NULL,
	`created_by` text,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`org_id`, `scope`, `version`)
);
