DROP INDEX `usage_rows_time`;--> statement-breakpoint
DROP INDEX `usage_rows_team`;--> statement-breakpoint
DROP INDEX `usage_rows_customer`;