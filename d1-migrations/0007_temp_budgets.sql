ALTER TABLE `budgets` ADD `temp_budget_nano` integer;--> statement-breakpoint
ALTER TABLE `budgets` ADD `temp_budget_until` integer;--> statement-breakpoint
ALTER TABLE `customers` ADD `temp_budget_nano` integer;--> statement-breakpoint
ALTER TABLE `customers` ADD `temp_budget_until` integer;--> statement-breakpoint
ALTER TABLE `organizations` ADD `temp_budget_nano` integer;--> statement-breakpoint
ALTER TABLE `organizations` ADD `temp_budget_until` integer;--> statement-breakpoint
ALTER TABLE `teams` ADD `temp_budget_nano` integer;--> statement-breakpoint
ALTER TABLE `teams` ADD `temp_budget_until` integer;--> statement-breakpoint
ALTER TABLE `users` ADD `temp_budget_nano` integer;--> statement-breakpoint
ALTER TABLE `users` ADD `temp_budget_until` integer;