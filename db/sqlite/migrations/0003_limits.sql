DROP INDEX `agent_runs_sessions_owner`;--> statement-breakpoint
DROP INDEX `agent_runs_sessions_updated`;--> statement-breakpoint
CREATE INDEX `agent_runs_sessions_open` ON `agent_runs_sessions` (`key`) WHERE "agent_runs_sessions"."status" = 'open';--> statement-breakpoint
CREATE INDEX `agent_runs_sessions_owned` ON `agent_runs_sessions` (`owner`,`key`) WHERE "agent_runs_sessions"."status" = 'open';--> statement-breakpoint
CREATE INDEX `agent_runs_sessions_touched` ON `agent_runs_sessions` (`updated_at`) WHERE "agent_runs_sessions"."status" = 'open';