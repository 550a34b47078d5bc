CREATE TABLE `agent_runs_permissions` (
	`key` integer PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`session_key` integer NOT NULL,
	`run_key` integer NOT NULL,
	`seq` integer NOT NULL,
	`status` text NOT NULL,
	`decision` text,
	`outcome_seq` integer,
	FOREIGN KEY (`session_key`) REFERENCES `agent_runs_sessions`(`key`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `agent_runs_permissions_id_unique` ON `agent_runs_permissions` (`id`);--> statement-breakpoint
CREATE INDEX `agent_runs_permissions_answered` ON `agent_runs_permissions` (`key`) WHERE "agent_runs_permissions"."status" = 'answered';--> statement-breakpoint
CREATE INDEX `agent_runs_permissions_open` ON `agent_runs_permissions` (`session_key`,`seq`) WHERE "agent_runs_permissions"."outcome_seq" IS NULL;--> statement-breakpoint
CREATE INDEX `agent_runs_permissions_run` ON `agent_runs_permissions` (`run_key`);