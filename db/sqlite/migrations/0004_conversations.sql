CREATE TABLE `agent_runs_message_keys` (
	`key` integer PRIMARY KEY NOT NULL,
	`session_id` text NOT NULL,
	`owner` text NOT NULL,
	`name` text NOT NULL,
	`run_key` integer,
	`request_hash` text,
	`stopped_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `agent_runs_message_keys_name` ON `agent_runs_message_keys` (`session_id`,`owner`,`name`);--> statement-breakpoint
CREATE INDEX `agent_runs_message_keys_stopped` ON `agent_runs_message_keys` (`stopped_at`,`owner`) WHERE "agent_runs_message_keys"."stopped_at" IS NOT NULL AND "agent_runs_message_keys"."run_key" IS NULL;--> statement-breakpoint
INSERT INTO `agent_runs_message_keys` (`session_id`, `owner`, `name`, `run_key`, `request_hash`)
	SELECT s.`id`, s.`owner`, r.`idempotency_key`, r.`key`, r.`request_hash` FROM `agent_runs_runs` AS r
	INNER JOIN `agent_runs_sessions` AS s ON s.`key` = r.`session_key` WHERE r.`idempotency_key` IS NOT NULL;--> statement-breakpoint
INSERT OR IGNORE INTO `agent_runs_message_keys` (`session_id`, `owner`, `name`, `run_key`)
	SELECT s.`id`, s.`owner`, 'message ' || json_extract(e.`json`, '$.messageId'), r.`key` FROM `agent_runs_runs` AS r
	INNER JOIN `agent_runs_sessions` AS s ON s.`key` = r.`session_key`
	INNER JOIN `agent_runs_events` AS e ON e.`session_key` = r.`session_key` AND e.`seq` = r.`cursor` + 1
	WHERE e.`kind` = 'text' AND json_extract(e.`json`, '$.messageId') IS NOT NULL;--> statement-breakpoint
DROP INDEX `agent_runs_runs_idempotency`;--> statement-breakpoint
ALTER TABLE `agent_runs_runs` DROP COLUMN `idempotency_key`;--> statement-breakpoint
ALTER TABLE `agent_runs_runs` DROP COLUMN `request_hash`;--> statement-breakpoint
ALTER TABLE `agent_runs_sessions` ADD `revision` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `agent_runs_sessions_revision` ON `agent_runs_sessions` (`revision`);--> statement-breakpoint
ALTER TABLE `agent_runs_runs` ADD `waiting` text;--> statement-breakpoint
UPDATE `agent_runs_runs` SET `waiting` = json_object(
	'runId', `id`,
	'messageId', coalesce(json_extract(`message`, '$.messageId'), ''),
	'preview', CASE json_type(`message`, '$.content') WHEN 'text' THEN substr(json_extract(`message`, '$.content'), 1, 200) ELSE '' END,
	'createdAt', strftime('%Y-%m-%dT%H:%M:%fZ', `created_at` / 1000.0, 'unixepoch')
) WHERE `status` = 'queued' AND `aborted` IS NOT 1 AND json_valid(`message`);--> statement-breakpoint
CREATE INDEX `agent_runs_provider_sessions_native` ON `agent_runs_provider_sessions` (`provider_session_id`,`provider`);
