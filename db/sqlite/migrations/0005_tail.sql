CREATE TABLE `agent_runs_tail` (
	`key` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`session_key` integer NOT NULL,
	`seq` integer NOT NULL,
	`run_key` integer NOT NULL,
	`transient` integer NOT NULL,
	`json` text NOT NULL
);
