package sqlite

import (
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// applicationID marks the file as ours (PRAGMA application_id): "lro1".
const applicationID = 0x6c726f31

// migrations[i] brings a file from schema i to i+1. PRAGMA user_version holds
// the schema of a file. A migration that was released is never edited.
var migrations = []string{
	// 1. Times are nanoseconds since 1970 in UTC, NULL when what they tell has
	// not happened. Columns that queries look at come first, since SQLite
	// reads a row from its start.
	`
CREATE TABLE op (
	seq         INTEGER PRIMARY KEY, -- age, and part of the name
	id          TEXT NOT NULL,       -- last segment of the name
	parent      TEXT NOT NULL,       -- empty for a top-level name
	kind        TEXT NOT NULL,
	state       INTEGER NOT NULL,    -- 1 PENDING, 2 RUNNING, 3 SUCCEEDED, 4 FAILED, 5 CANCELLED
	flags       INTEGER NOT NULL,    -- 1 external, 2 at most once, 4 deleted, 8 and 16: has a row in table request, checkpoint
	create_time INTEGER NOT NULL,
	end_time    INTEGER,
	due         INTEGER,             -- when a retry may begin
	attempt     INTEGER NOT NULL,
	crashes     INTEGER NOT NULL,
	fence       INTEGER NOT NULL,
	revision    INTEGER NOT NULL,
	start_time  INTEGER,
	update_time INTEGER NOT NULL,
	cancel_time INTEGER,
	expire_time INTEGER,
	crash_limit INTEGER NOT NULL,
	retention   INTEGER NOT NULL,    -- nanoseconds, 0 for ever
	lease_for   INTEGER NOT NULL,    -- nanoseconds, 0 for ever
	request_id  TEXT,
	caller      TEXT,
	trace       TEXT,                -- JSON object
	history     TEXT,                -- JSON array of events that no other column tells
	metadata    BLOB,                -- google.protobuf.Any
	result      BLOB,                -- google.protobuf.Any if SUCCEEDED, else google.rpc.Status
	request     BLOB                 -- google.protobuf.Any
) STRICT;
CREATE INDEX op_active ON op(parent, end_time) WHERE end_time IS NULL;
CREATE INDEX op_ended ON op(parent) WHERE end_time IS NOT NULL;
CREATE INDEX op_expire ON op(expire_time) WHERE expire_time IS NOT NULL;

-- Requests that are too large to be rewritten with every change of their row.
CREATE TABLE request (seq INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;

CREATE TABLE checkpoint (seq INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;

-- Request IDs: a hash of caller and request ID leads to the operation. Not
-- here are those of operations from meta's request_id_merged on.
CREATE TABLE request_id (hash BLOB PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- How many operations are there that were not deleted.
CREATE TABLE tally (
	kind  TEXT NOT NULL,
	state INTEGER NOT NULL,
	n     INTEGER NOT NULL,
	PRIMARY KEY (kind, state)
) STRICT, WITHOUT ROWID;
`,
	// 2. Attempts that were handed back while draining.
	"ALTER TABLE op ADD COLUMN releases INTEGER NOT NULL DEFAULT 0",
}

var errNotOurs = errors.New("the file is a SQLite database of another application")

// migrate creates the schema in a new file, or brings an older one up to date. After an
// error c is to be closed, which undoes what it had begun.
func migrate(c *sqlite3.Conn) error {
	version, err := schemaOf(c)
	if err != nil {
		return err
	}
	for v := int(version); v < len(migrations); v++ {
		script := fmt.Sprintf("BEGIN IMMEDIATE; %s; PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT;",
			migrations[v], applicationID, v+1)
		if err := c.Exec(script); err != nil {
			return fmt.Errorf("migrate to schema %d: %w", v+1, err)
		}
	}
	return nil
}

// schemaOf returns the schema of a file, 0 for an empty one.
func schemaOf(c *sqlite3.Conn) (int64, error) {
	app, err := pragmaInt(c, "application_id")
	if err != nil {
		return 0, err
	}
	version, err := pragmaInt(c, "user_version")
	if err != nil {
		return 0, err
	}
	if app != applicationID {
		empty, err := isEmpty(c)
		if err != nil {
			return 0, err
		}
		if app != 0 || version != 0 || !empty {
			return 0, errNotOurs
		}
	}
	if version > int64(len(migrations)) {
		return 0, fmt.Errorf("the file has schema %d, written by a newer version of this program, which knows up to schema %d",
			version, len(migrations))
	}
	if version < 0 {
		return 0, fmt.Errorf("the file has schema %d, which cannot be", version)
	}
	return version, nil
}

func isEmpty(c *sqlite3.Conn) (bool, error) {
	n, err := queryInt(c, "SELECT count(*) FROM sqlite_schema")
	return n == 0, err
}

func pragmaInt(c *sqlite3.Conn, name string) (int64, error) {
	return queryInt(c, "PRAGMA "+name)
}

func queryInt(c *sqlite3.Conn, sql string) (int64, error) {
	stmt, _, err := c.Prepare(sql)
	if err != nil {
		return 0, err
	}
	defer stmt.Close()
	if !stmt.Step() {
		return 0, stmt.Err()
	}
	return stmt.ColumnInt64(0), nil
}
