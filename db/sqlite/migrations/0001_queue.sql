CREATE TABLE `agent_runs_instances` (
	`id` text PRIMARY KEY NOT NULL,
	`counter` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `__new_agent_runs_runs` (
	`key` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`session_key` integer NOT NULL,
	`provider` text NOT NULL,
	`status` text NOT NULL,
	`instance_id` text,
	`cursor` integer NOT NULL,
	`accepted_cursor` integer,
	`complete_seq` integer,
	`position` integer,
	`message` text,
	`options` text,
	`idempotency_key` text,
	`request_hash` text,
	`created_at` integer NOT NULL,
	`started_at` integer,
	`completed_at` integer,
	`exit_code` integer,
	`aborted` integer,
	`reason` text,
	`compacted` integer DEFAULT false NOT NULL,
	FOREIGN KEY (`session_key`) REFERENCES `agent_runs_sessions`(`key`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
INSERT INTO `__new_agent_runs_runs`("key", "id", "session_key", "provider", "status", "instance_id", "cursor", "complete_seq", "created_at", "started_at", "completed_at", "exit_code", "aborted", "reason", "compacted") SELECT "key", "id", "session_key", "provider", "status", "instance_id", "cursor", "complete_seq", "started_at", "started_at", "completed_at", "exit_code", "aborted", "reason", "compacted" FROM `agent_runs_runs`;--> statement-breakpoint
DROP TABLE `agent_runs_runs`;--> statement-breakpoint
ALTER TABLE `__new_agent_runs_runs` RENAME TO `agent_runs_runs`;--> statement-breakpoint
CREATE UNIQUE INDEX `agent_runs_runs_id_unique` ON `agent_runs_runs` (`id`);--> statement-breakpoint
CREATE INDEX `agent_runs_runs_compactable` ON `agent_runs_runs` (`completed_at`) WHERE "agent_runs_runs"."compacted" = 0 AND "agent_runs_runs"."status" = 'completed';--> statement-breakpoint
CREATE INDEX `agent_runs_runs_session` ON `agent_runs_runs` (`session_key`,`key`);--> statement-breakpoint
CREATE UNIQUE INDEX `agent_runs_runs_idempotency` ON `agent_runs_runs` (`session_key`,`idempotency_key`) WHERE "agent_runs_runs"."idempotency_key" IS NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX `agent_runs_runs_queue` ON `agent_runs_runs` (`session_key`,`position`) WHERE "agent_runs_runs"."status" = 'queued';--> statement-breakpoint
CREATE UNIQUE INDEX `agent_runs_runs_running` ON `agent_runs_runs` (`session_key`) WHERE "agent_runs_runs"."status" = 'running';--> statement-breakpoint
ALTER TABLE `agent_runs_sessions` ADD `status` text DEFAULT 'open' NOT NULL;--> statement-breakpoint
CREATE INDEX `agent_runs_sessions_deleting` ON `agent_runs_sessions` (`key`) WHERE "agent_runs_sessions"."status" = 'deleting';--> statement-breakpoint
CREATE INDEX `agent_runs_sessions_updated` ON `agent_runs_sessions` (`updated_at`);--> statement-breakpoint
ALTER TABLE `agent_runs_sessions` DROP COLUMN `last_seq`;