ALTER TABLE `customers` ADD `allowed_model_region` text;--> statement-breakpoint
ALTER TABLE `customers` ADD `default_model` text;--> statement-breakpoint
CREATE INDEX `customers_ruled` ON `customers` (`org_id`) WHERE "customers"."allowed_model_region" is not null or "customers"."default_model" is not null;