package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-lro/lro/internal/pgtext"
)

// DefaultSchema is the meaning of "" in [Options.Schema] and [Migrate].
const DefaultSchema = "lro"

//go:embed migrations/*.sql
var migrationFiles embed.FS

// A Migration brings a schema from the version before it to its own.
type Migration struct {
	Version int    // from 1
	Name    string // such as "0001_operations.sql"
	SQL     string // statements, to be run in one transaction
}

// newest is the schema that this program knows. oldest is the one it can still
// work on.
const newest, oldest = 3, 2

// Migrations returns all migrations, in their order, for a schema of that name,
// to be run by another tool. The schema must exist. An empty name is
// [DefaultSchema].
func Migrations(schema string) []Migration {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	var all []Migration
	for i, name := range names {
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			panic(err) // it was found there
		}
		all = append(all, Migration{
			Version: i + 1,
			Name:    strings.TrimPrefix(name, "migrations/"),
			SQL:     strings.ReplaceAll(string(text), `:"schema"`, pgx.Identifier{schemaName(schema)}.Sanitize()),
		})
	}
	return all
}

func schemaName(name string) string {
	if name == "" {
		return DefaultSchema
	}
	return name
}

// Migrate brings a schema up to date, and makes it where there is none. It
// returns the version that it found, 0 for none, and the one that it has now.
// Several programs may call it at once. It changes nothing in a schema that is
// up to date, or newer. An empty name is [DefaultSchema].
//
// The role of the pool must own the schema, or be able to create it.
func Migrate(ctx context.Context, pool *pgxpool.Pool, schema string) (from, to int, err error) {
	schema = schemaName(schema)
	conn, err := acquire(ctx, pool)
	if err != nil {
		return 0, 0, fmt.Errorf("migrate schema %q: %w", schema, pgtext.Error(err))
	}
	defer conn.Release()
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		from, to, err = migrate(ctx, tx, schema)
		return err
	})
	if isCode(err, codeInsufficientPrivilege) {
		err = fmt.Errorf("%w: role %q must own the schema, or be able to create it", err, pool.Config().ConnConfig.User)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("migrate schema %q: %w", schema, pgtext.Error(err))
	}
	return from, to, nil
}

func migrate(ctx context.Context, tx pgx.Tx, schema string) (from, to int, err error) {
	var encoding string
	if err := tx.QueryRow(ctx, "SELECT current_setting('server_encoding')").Scan(&encoding); err != nil {
		return 0, 0, err
	}
	if encoding != "UTF8" {
		return 0, 0, fmt.Errorf("the database has the encoding %s, and operations need UTF8", encoding)
	}
	// Released at the end of the transaction.
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('lro.migrate.' || $1::text, 0))", schema); err != nil {
		return 0, 0, err
	}
	v, err := readVersion(ctx, tx, schema)
	if errors.Is(err, ErrNoSchema) {
		err = nil
	}
	if err != nil {
		return 0, 0, err
	}
	from, to = v.version, max(v.version, newest)
	for _, m := range Migrations(schema) {
		if m.Version <= v.version {
			continue
		}
		if m.Version == 1 {
			if err := createSchema(ctx, tx, schema); err != nil {
				return 0, 0, err
			}
		}
		// Several statements at once are possible in the simple protocol alone.
		if _, err := tx.Conn().PgConn().Exec(ctx, m.SQL).ReadAll(); err != nil {
			return 0, 0, fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	return from, to, nil
}

// createSchema looks first: a role that owns the schema may not be able to
// create one.
func createSchema(ctx context.Context, tx pgx.Tx, schema string) error {
	var there bool
	err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1::text)", schema).Scan(&there)
	if err != nil || there {
		return err
	}
	_, err = tx.Exec(ctx, "CREATE SCHEMA "+pgx.Identifier{schema}.Sanitize())
	return err
}

// ErrNoSchema is the error of [Open] where [Migrate] has never made the schema.
var ErrNoSchema = errors.New("the schema has no tables of operations: run \"lro migrate\" or postgres.Migrate")

// version is the content of the table of this name.
type version struct{ version, compatible int }

// rowQuerier is a pool, a connection or a transaction.
type rowQuerier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// readVersion returns ErrNoSchema where the table is missing.
func readVersion(ctx context.Context, q rowQuerier, schema string) (version, error) {
	var v version
	var there bool
	// Not to_regclass: it may remember that there was no such schema when another
	// program has just made it.
	err := q.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c
		JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1::text AND c.relname = 'version')`, schema).Scan(&there)
	if err != nil {
		return v, err
	}
	if !there {
		return v, ErrNoSchema
	}
	err = q.QueryRow(ctx, "SELECT version, compatible FROM "+pgx.Identifier{schema, "version"}.Sanitize()).Scan(&v.version, &v.compatible)
	if errors.Is(err, pgx.ErrNoRows) {
		return v, ErrNoSchema
	}
	return v, err
}

// check reports a schema that this program cannot use.
func (v version) check(schema string) error {
	switch {
	case v.version < oldest:
		return fmt.Errorf("schema %q has version %d, and this program needs version %d: run \"lro migrate\" or postgres.Migrate", schema, v.version, oldest)
	case v.compatible > newest:
		return fmt.Errorf("schema %q has version %d, which needs programs that know version %d: this one knows version %d, and is too old", schema, v.version, v.compatible, newest)
	}
	return nil
}
