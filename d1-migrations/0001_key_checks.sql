ALTER TABLE `keys` ADD `check_version` integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE `keys` ADD `previous_check_version` integer;