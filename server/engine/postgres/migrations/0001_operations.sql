-- Schema 1. "lro migrate" and postgres.Migrate run this file. By hand, in a
-- schema that exists:
--
--   psql -v ON_ERROR_STOP=1 -v schema=lro --single-transaction -f 0001_operations.sql
--
-- Programs need USAGE on the schema, SELECT, INSERT, UPDATE and DELETE on its
-- tables (SELECT on version and secret), and USAGE and SELECT on its sequences.

-- The schema's version, and the oldest version that programs may know which use
-- this one.
CREATE TABLE :"schema".version (
	version    integer NOT NULL,
	compatible integer NOT NULL
);
INSERT INTO :"schema".version (version, compatible) VALUES (1, 1);

-- What all servers on this schema share. page_key makes page tokens.
CREATE TABLE :"schema".secret (
	name  text PRIMARY KEY,
	value bytea NOT NULL
);
INSERT INTO :"schema".secret (name, value)
VALUES ('page_key', decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

-- The number of an operation: its age, and part of its name.
CREATE SEQUENCE :"schema".op_seq MAXVALUE 1099511627775;

-- Every operation. What changes while it lives is in table live, and comes here
-- when it ends.
CREATE TABLE :"schema".op (
	seq         bigint PRIMARY KEY,
	tail        text NOT NULL,        -- random end of the name
	parent      text NOT NULL,        -- empty for a top-level name
	kind        text NOT NULL,
	state       smallint,             -- 3 SUCCEEDED, 4 FAILED, 5 CANCELLED; NULL while there is a row in live
	flags       integer NOT NULL,     -- 1 external, 2 at most once
	create_time timestamptz NOT NULL,
	crash_limit integer NOT NULL,
	retention   bigint NOT NULL,      -- nanoseconds, 0 for ever
	lease_for   bigint NOT NULL,      -- nanoseconds, 0 for ever
	request_id  text,
	caller      text,
	request_key bytea,                -- hash of caller and request_id; NULL once deleted
	trace       text,                 -- JSON object
	request     bytea,                -- google.protobuf.Any
	-- Since the end:
	attempt     integer,
	crashes     integer,
	releases    integer,
	fence       bigint,
	revision    bigint,
	start_time  timestamptz,
	update_time timestamptz,
	cancel_time timestamptz,
	end_time    timestamptz,
	expire_time timestamptz,
	history     jsonb,                -- events that no other column tells
	metadata    bytea,                -- google.protobuf.Any
	checkpoint  bytea,
	result      bytea                 -- google.protobuf.Any if SUCCEEDED, else google.rpc.Status
);
CREATE UNIQUE INDEX op_request_key ON :"schema".op (request_key) WHERE request_key IS NOT NULL;
CREATE INDEX op_parent ON :"schema".op (parent, seq);
CREATE INDEX op_kind ON :"schema".op (kind, seq);
CREATE INDEX op_unsuccessful ON :"schema".op (state, seq) WHERE state > 3;
CREATE INDEX op_expire ON :"schema".op (expire_time) WHERE expire_time IS NOT NULL;

-- Operations that have not ended. The table stays small, and is vacuumed often.
CREATE TABLE :"schema".live (
	seq         bigint PRIMARY KEY,   -- of op
	kind        text NOT NULL,        -- as in op
	owner       bigint,               -- NULL: PENDING; else RUNNING: of table proc, or 0 for an external operation
	fence       bigint NOT NULL,
	hidden      boolean NOT NULL,     -- deleted
	due         timestamptz,          -- when a PENDING operation that was handed back may run; NULL for a fresh one
	lease_until timestamptz,          -- of an external operation
	attempt     integer NOT NULL,
	crashes     integer NOT NULL,
	releases    integer NOT NULL,
	revision    bigint NOT NULL,
	start_time  timestamptz,
	update_time timestamptz NOT NULL,
	cancel_time timestamptz,
	history     jsonb NOT NULL,
	metadata    bytea,
	checkpoint  bytea
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
	autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000);
CREATE INDEX live_fresh ON :"schema".live (kind, seq) WHERE owner IS NULL AND due IS NULL;
CREATE INDEX live_due ON :"schema".live (due) WHERE owner IS NULL AND due IS NOT NULL;
CREATE INDEX live_lease ON :"schema".live (lease_until) WHERE lease_until IS NOT NULL;

-- The processes that run operations. When one has not renewed its lease, others
-- take its operations over.
CREATE TABLE :"schema".proc (
	id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	identity text NOT NULL,           -- for people
	started  timestamptz NOT NULL,
	until    timestamptz NOT NULL     -- end of the lease
) WITH (fillfactor = 50);
