package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-lro/lro/internal/pgtext"
	"github.com/go-lro/lro/server/engine"
)

// storeError is that function for calls of an engine that may be closing.
func (e *Engine) storeError(ctx context.Context, err error) error {
	err = storeError(ctx, e.pool, err)
	if errors.Is(err, engine.ErrUnavailable) && e.ctx.Err() != nil {
		return engine.ErrClosed
	}
	return err
}

// storeError makes the engine's error of one of the store. Errors of the contract
// and of ctx stay.
func storeError(ctx context.Context, pool *pgxpool.Pool, err error) error {
	if err == nil {
		return nil
	}
	for _, own := range contract {
		if errors.Is(err, own) {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err = pgtext.Error(err)
	switch {
	case isCode(err, codeLockNotAvailable):
		return fmt.Errorf("%w: another transaction holds it: %w", engine.ErrUnavailable, err)
	case joinedBy(ctx) != nil && unusable(err):
		return fmt.Errorf("the transaction of ctx cannot be used: %w", err) // no other try helps
	case misconfigured(err):
		return fmt.Errorf("%w: role %q: %w", engine.ErrMisconfigured, pool.Config().ConnConfig.User, err)
	}
	return fmt.Errorf("%w: %w", engine.ErrUnavailable, err)
}

// misconfigured reports errors that no other try helps against: the role lacks a
// right, or the schema a table or a column.
func misconfigured(err error) bool {
	for _, code := range []string{codeInsufficientPrivilege, codeUndefinedTable, codeUndefinedColumn, codeInvalidSchema} {
		if isCode(err, code) {
			return true
		}
	}
	return false
}

// unusable reports errors of a transaction that has ended, or that an earlier
// statement has failed in.
func unusable(err error) bool {
	return errors.Is(err, sql.ErrTxDone) || errors.Is(err, pgx.ErrTxClosed) || isCode(err, codeTransactionFailed)
}

// explained adds what to do to an error that comes of a pooler which gives each
// transaction another connection.
func explained(err error) error {
	if isCode(err, codeNoStatement) || isCode(err, codeTwiceStatement) {
		return fmt.Errorf("%w: behind PgBouncer in transaction mode, set default_query_exec_mode to cache_describe or exec in the URL", err)
	}
	return err
}

var contract = []error{
	engine.ErrNotFound, engine.ErrFenced, engine.ErrRequestIDReused, engine.ErrInvalid, engine.ErrInvalidCursor,
	engine.ErrTooLarge, engine.ErrUnavailable, engine.ErrMisconfigured, engine.ErrClosed,
}

// missingRights returns the role, and what it lacks of the rights that programs
// need.
const missingRights = `
WITH object AS (
	SELECT c.oid, c.relname, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = $1::text AND c.relname IN ('version', 'secret', 'op', 'live', 'proc', 'tally', 'op_seq')
), need AS (
	SELECT relname, i, p, CASE relkind WHEN 'S' THEN has_sequence_privilege(oid, p) ELSE has_table_privilege(oid, p) END AS has
	FROM object, unnest(CASE WHEN relkind = 'S' THEN ARRAY['USAGE', 'SELECT'] WHEN relname IN ('version', 'secret') THEN ARRAY['SELECT']
		ELSE ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] END) WITH ORDINALITY AS r (p, i)
	UNION ALL SELECT nspname, 1, 'USAGE', has_schema_privilege(oid, 'USAGE') FROM pg_catalog.pg_namespace WHERE nspname = $1::text
)
SELECT current_user::text, coalesce(array_agg(rights || ' on ' || relname ORDER BY relname), '{}')::text[]
FROM (SELECT relname, string_agg(p, ', ' ORDER BY i) AS rights FROM need WHERE NOT has GROUP BY relname) lacking`

// checkRights returns an error that names the role and all that it lacks.
func checkRights(ctx context.Context, q rowQuerier, schema string) error {
	var role string
	var missing []string
	if err := q.QueryRow(ctx, missingRights, schema).Scan(&role, &missing); err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("%w: role %q lacks in schema %s: %s; its owner can GRANT them",
			engine.ErrMisconfigured, role, pgx.Identifier{schema}.Sanitize(), strings.Join(missing, "; "))
	}
	return nil
}
