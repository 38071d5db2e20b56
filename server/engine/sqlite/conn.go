package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// Page caches of a connection, in KiB.
const (
	writerCache = 16 << 10
	readerCache = 4 << 10
)

// conn is a connection with the statements that every connection needs. It is
// used by one goroutine at a time.
type conn struct {
	db         *sqlite3.Conn
	getRow     *sqlite3.Stmt
	getRequest *sqlite3.Stmt
	getCheck   *sqlite3.Stmt
	stmts      map[string]*sqlite3.Stmt // by SQL, see prepared
}

// openConn opens path with the promise of the package: WAL, and every commit
// synced.
func openConn(ctx context.Context, path, vfs string, cacheKiB int) (*conn, error) {
	c, err := dial(ctx, path, vfs)
	if err != nil {
		return nil, err
	}
	if err := c.configure(cacheKiB); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// dial opens path, which must exist, and reads nothing yet. Only who creates a
// database may say that an empty file is one.
func dial(ctx context.Context, path, vfs string) (*conn, error) {
	uri := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	// The log has what the database has, so it gets the same permissions.
	query := url.Values{"modeof": {path}, "mode": {"rw"}}
	if vfs != "" {
		query.Set("vfs", vfs)
	}
	uri.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // SQLite knows no plus
	db, err := sqlite3.OpenContext(ctx, uri.String())
	if err != nil {
		return nil, err
	}
	return &conn{db: db, stmts: make(map[string]*sqlite3.Stmt)}, nil
}

func (c *conn) configure(cacheKiB int) error {
	// Another process may look at the file with SQLite's own tools and hold a
	// lock for a moment.
	if err := c.db.BusyTimeout(busyTimeout); err != nil {
		return err
	}
	err := c.db.Exec(fmt.Sprintf(`
		PRAGMA journal_mode = WAL;
		PRAGMA journal_size_limit = %d;
		PRAGMA synchronous = FULL;
		PRAGMA fullfsync = ON;
		PRAGMA checkpoint_fullfsync = ON;
		PRAGMA trusted_schema = OFF;
		PRAGMA cache_size = -%d;`, logLimit, cacheKiB))
	if err != nil {
		return err
	}
	// An operating system without shared memory keeps another journal, which
	// the promises of this package were not made for.
	mode, _, err := c.db.Prepare("PRAGMA journal_mode")
	if err != nil {
		return err
	}
	defer mode.Close()
	if !mode.Step() {
		return mode.Err()
	}
	if got := mode.ColumnText(0); got != "wal" {
		return fmt.Errorf("journal mode is %q, want WAL", got)
	}
	return nil
}

// prepare makes the statements; the schema must be there.
func (c *conn) prepare() error {
	for sql, dst := range map[string]**sqlite3.Stmt{
		"SELECT " + rowColumns + " FROM op WHERE seq = ?": &c.getRow,
		"SELECT data FROM request WHERE seq = ?":          &c.getRequest,
		"SELECT data FROM checkpoint WHERE seq = ?":       &c.getCheck,
	} {
		stmt, err := c.prepared(sql)
		if err != nil {
			return err
		}
		*dst = stmt
	}
	return nil
}

// prepared returns the statement for a fixed text, which lives as long as c.
func (c *conn) prepared(sql string) (*sqlite3.Stmt, error) {
	if stmt := c.stmts[sql]; stmt != nil {
		return stmt, nil
	}
	stmt, _, err := c.db.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", sql, err)
	}
	c.stmts[sql] = stmt
	return stmt, nil
}

func (c *conn) close() error {
	for _, stmt := range c.stmts {
		// Its error is that of its last execution, which was reported then.
		_ = stmt.Close()
	}
	return c.db.Close()
}

// load reads one operation; nil when there is none.
func (c *conn) load(seq int64) (*row, error) {
	defer c.getRow.Reset()
	if err := c.getRow.BindInt64(1, seq); err != nil {
		return nil, err
	}
	if !c.getRow.Step() {
		return nil, c.getRow.Err()
	}
	r, err := scanRow(c.getRow)
	if err != nil {
		return nil, err
	}
	return r, c.complete(r)
}

// complete reads what is not in r's own row.
func (c *conn) complete(r *row) error {
	if r.flags&flagBigRequest != 0 {
		b, err := c.blob(c.getRequest, r.seq)
		if err != nil {
			return err
		}
		err = enginekit.ErrMissing
		if b != nil {
			r.rec.Request, err = enginekit.DecodeAny(b)
		}
		if err != nil {
			r.lostInput("request", err)
		}
	}
	if r.flags&flagCheckpoint != 0 {
		b, err := c.blob(c.getCheck, r.seq)
		if err != nil {
			return err
		}
		if b == nil {
			r.lostInput("checkpoint", enginekit.ErrMissing)
		}
		r.rec.Checkpoint = b
	}
	return nil
}

// blob returns the one column of the one row of a statement, nil when there is
// no row.
func (c *conn) blob(stmt *sqlite3.Stmt, seq int64) ([]byte, error) {
	defer stmt.Reset()
	if err := stmt.BindInt64(1, seq); err != nil {
		return nil, err
	}
	if !stmt.Step() {
		return nil, stmt.Err()
	}
	return append([]byte{}, stmt.ColumnRawBlob(0)...), nil
}

// execute runs a statement with arguments.
func (c *conn) execute(sql string, args ...any) error {
	stmt, err := c.prepared(sql)
	if err != nil {
		return err
	}
	if err := bind(stmt, args); err != nil {
		return err
	}
	return stmt.Exec()
}

// blobArg is an argument that is stored as a BLOB even when it is empty.
type blobArg []byte

// bind sets a statement's parameters. A nil error, zero time, empty text and
// nil payload are NULL. A pointer stands for its value: as any, a value is
// allocated.
func bind(stmt *sqlite3.Stmt, args []any) error {
	for i, arg := range args {
		if err := bindOne(stmt, i+1, arg); err != nil {
			return fmt.Errorf("bind parameter %d: %w", i+1, err)
		}
	}
	return nil
}

func bindOne(stmt *sqlite3.Stmt, param int, arg any) error {
	switch v := arg.(type) {
	case *int64:
		return stmt.BindInt64(param, *v)
	case *int:
		return stmt.BindInt(param, *v)
	case *time.Duration:
		return stmt.BindInt64(param, int64(*v))
	case *string:
		return stmt.BindText(param, *v)
	case *time.Time:
		return bindTime(stmt, param, *v)
	case int64:
		return stmt.BindInt64(param, v)
	case int:
		return stmt.BindInt(param, v)
	case engine.State:
		return stmt.BindInt64(param, int64(v))
	case time.Duration:
		return stmt.BindInt64(param, int64(v))
	case string:
		return stmt.BindText(param, v)
	case blobArg:
		if v == nil {
			return stmt.BindNull(param)
		}
		return stmt.BindBlob(param, v)
	case optionalText:
		if v == "" {
			return stmt.BindNull(param)
		}
		return stmt.BindText(param, string(v))
	case time.Time:
		return bindTime(stmt, param, v)
	}
	return fmt.Errorf("unexpected type %T", arg)
}

func bindTime(stmt *sqlite3.Stmt, param int, t time.Time) error {
	if t.IsZero() {
		return stmt.BindNull(param)
	}
	return stmt.BindInt64(param, t.UnixNano())
}

// optionalText is NULL when it is empty.
type optionalText string

func marshalAny(a *anypb.Any) (blobArg, error) { return enginekit.EncodeAny(a) }

// storeError makes the engine's error of a driver's error.
func storeError(doing string, err error) error {
	if errors.Is(err, sqlite3.CORRUPT) || errors.Is(err, sqlite3.NOTADB) {
		return fmt.Errorf("%s: the database file is damaged: %w", doing, err)
	}
	if isFull(err) {
		return fmt.Errorf("%s: %w: the disk is full: %w", doing, engine.ErrUnavailable, err)
	}
	if errors.Is(err, errNotOwner) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w: %w", doing, engine.ErrUnavailable, err)
}
