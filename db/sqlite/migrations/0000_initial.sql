CREATE TABLE `agent_runs_events` (
	`key` integer PRIMARY KEY NOT NULL,
	`session_key` integer NOT NULL,
	`seq` integer NOT NULL,
	`run_key` integer NOT NULL,
	`kind` text NOT NULL,
	`transient` integer NOT NULL,
	`json` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `agent_runs_events_seq` ON `agent_runs_events` (`session_key`,`seq`);--> statement-breakpoint
CREATE TABLE `agent_runs_provider_sessions` (
	`key` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`session_key` integer NOT NULL,
	`provider` text NOT NULL,
	`provider_session_id` text NOT NULL,
	FOREIGN KEY (`session_key`) REFERENCES `agent_runs_sessions`(`key`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `agent_runs_provider_sessions_id` ON `agent_runs_provider_sessions` (`session_key`,`provider`,`provider_session_id`);--> statement-breakpoint
CREATE TABLE `agent_runs_runs` (
	`key` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`session_key` integer NOT NULL,
	`provider` text NOT NULL,
	`status` text NOT NULL,
	`instance_id` text NOT NULL,
	`cursor` integer NOT NULL,
	`complete_seq` integer,
	`started_at` integer NOT NULL,
	`completed_at` integer,
	`exit_code` integer,
	`aborted` integer,
	`reason` text,
	`compacted` integer DEFAULT false NOT NULL,
	FOREIGN KEY (`session_key`) REFERENCES `agent_runs_sessions`(`key`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `agent_runs_runs_id_unique` ON `agent_runs_runs` (`id`);--> statement-breakpoint
CREATE INDEX `agent_runs_runs_compactable` ON `agent_runs_runs` (`completed_at`) WHERE "agent_runs_runs"."compacted" = 0 AND "agent_runs_runs"."status" = 'completed';--> statement-breakpoint
CREATE INDEX `agent_runs_runs_session` ON `agent_runs_runs` (`session_key`,`key`);--> statement-breakpoint
CREATE UNIQUE INDEX `agent_runs_runs_running` ON `agent_runs_runs` (`session_key`) WHERE "agent_runs_runs"."status" = 'running';--> statement-breakpoint
CREATE TABLE `agent_runs_sessions` (
	`key` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`owner` text NOT NULL,
	`provider` text,
	`title` text,
	`metadata` text NOT NULL,
	`last_seq` integer DEFAULT 0 NOT NULL,
	`compacted_through` integer DEFAULT 0 NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `agent_runs_sessions_id_unique` ON `agent_runs_sessions` (`id`);--> statement-breakpoint
CREATE INDEX `agent_runs_sessions_owner` ON `agent_runs_sessions` (`owner`,`key`);