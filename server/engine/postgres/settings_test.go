package postgres

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/status"

	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// literal quotes a text for SQL.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// newRole makes a role that may log in with the password, and removes it with
// the test.
func (s *store) newRole(t *testing.T, password string) string {
	t.Helper()
	role := "role_" + enginekit.Random(8)
	s.exec(t, "CREATE ROLE "+role+" LOGIN PASSWORD "+literal(password))
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), s.url)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(context.Background(), "DROP OWNED BY "+role+"; DROP ROLE "+role); err != nil {
			t.Error(err)
		}
	})
	return role
}

// runGrants are the rights of a role that may run programs, and not migrate.
var runGrants = []string{
	"USAGE ON SCHEMA {schema}",
	"SELECT ON {schema}.version", "SELECT ON {schema}.secret",
	"SELECT ON {schema}.op", "INSERT ON {schema}.op", "UPDATE ON {schema}.op", "DELETE ON {schema}.op",
	"SELECT ON {schema}.live", "INSERT ON {schema}.live", "UPDATE ON {schema}.live", "DELETE ON {schema}.live",
	"SELECT ON {schema}.proc", "INSERT ON {schema}.proc", "UPDATE ON {schema}.proc", "DELETE ON {schema}.proc",
	"SELECT ON {schema}.tally", "INSERT ON {schema}.tally", "UPDATE ON {schema}.tally", "DELETE ON {schema}.tally",
	"USAGE ON SEQUENCE {schema}.op_seq", "SELECT ON SEQUENCE {schema}.op_seq",
}

// as has connections be those of a role.
func as(role string) func(*pgxpool.Config) {
	return func(c *pgxpool.Config) { c.ConnConfig.User = role }
}

// live goes through the life of operations: all that a program does.
func live(t *testing.T, e *Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*elsewhere)
	defer cancel()
	rec := mustStart(t, e, engine.Spec{Kind: "k", RequestID: enginekit.Random(8)})
	if end, err := e.Wait(ctx, rec.Name); err != nil || end.State != engine.Succeeded {
		t.Fatalf("Wait() = %v, %v; want success", end, err)
	}
	other := mustStart(t, e, engine.Spec{Kind: "other", External: true, LeaseFor: time.Hour})
	if _, err := e.Heartbeat(ctx, other.Lease()); err != nil {
		t.Errorf("Heartbeat() = %v", err)
	}
	if _, err := e.Report(ctx, other.Lease(), engine.Update{Metadata: text("half")}); err != nil {
		t.Errorf("Report() = %v", err)
	}
	if _, err := e.Cancel(ctx, other.Name); err != nil {
		t.Errorf("Cancel() = %v", err)
	}
	if _, err := e.Fail(ctx, other.Lease(), engine.Failure{Error: failure("late")}); err != nil {
		t.Errorf("Fail() = %v", err)
	}
	if _, err := e.List(ctx, engine.Query{Limit: 10}); err != nil {
		t.Errorf("List() = %v", err)
	}
	if _, err := e.Stats(ctx); err != nil {
		t.Errorf("Stats() = %v", err)
	}
	for _, name := range []string{rec.Name, other.Name} {
		if err := e.Delete(ctx, name); err != nil {
			t.Errorf("Delete() = %v", err)
		}
	}
}

// workLives runs the handlers of live.
func workLives(t *testing.T, e *Engine) {
	t.Helper()
	work(t, e, func(ctx context.Context, a engine.Attempt) engine.Outcome {
		a.Report(text("half"))
		err := e.InTx(ctx, func(ctx context.Context, _ pgx.Tx) error { return a.Save(ctx, []byte("saved")) })
		if err != nil {
			return engine.Outcome{Error: failure(err.Error())}
		}
		return engine.Outcome{Response: text("")}
	})
}

// TestRunRole: a role with the rights that the migration lists runs programs and
// cannot migrate. Without any one of them Open names the role and what is missing.
func TestRunRole(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	role := s.newRole(t, "secret")
	in := strings.NewReplacer("{schema}", pgx.Identifier{s.opts.Schema}.Sanitize())
	for _, grant := range runGrants {
		s.exec(t, "GRANT "+in.Replace(grant)+" TO "+role)
	}
	pool := s.pool(t, as(role))
	e := s.openOn(t, pool)
	workLives(t, e)
	live(t, e)
	if _, _, err := Migrate(t.Context(), pool, s.opts.Schema); err != nil {
		t.Errorf("Migrate() of what is up to date = %v", err)
	}
	if _, _, err := Migrate(t.Context(), pool, s.opts.Schema+" new"); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("Migrate() by a role that may only run = %v, want a refusal", err)
	}
	for _, grant := range runGrants {
		s.exec(t, "REVOKE "+in.Replace(grant)+" FROM "+role)
		other, err := Open(t.Context(), pool, &s.opts)
		if err == nil {
			t.Errorf("Open() without %s succeeded", grant)
			_ = other.Close()
		}
		right, rest, _ := strings.Cut(grant, " ")
		object := rest[strings.LastIndexAny(rest, ". ")+1:]
		object = strings.ReplaceAll(object, "{schema}", s.opts.Schema)
		if !errors.Is(err, engine.ErrMisconfigured) || errors.Is(err, engine.ErrUnavailable) ||
			!strings.Contains(err.Error(), role) || !strings.Contains(err.Error(), right+" on "+object) {
			t.Errorf("Open() without %s = %v, want %v that names the role and what is missing", grant, err, engine.ErrMisconfigured)
		}
		s.exec(t, "GRANT "+in.Replace(grant)+" TO "+role)
	}
	// A right that is lost later.
	s.exec(t, in.Replace("REVOKE INSERT ON {schema}.live FROM "+role))
	_, err := e.Start(t.Context(), engine.Spec{Kind: "k"})
	if !errors.Is(err, engine.ErrMisconfigured) || !strings.Contains(err.Error(), role) || !strings.Contains(err.Error(), "table live") {
		t.Errorf("Start() without a right = %v, want %v that names the role and the table", err, engine.ErrMisconfigured)
	}
	s.exec(t, in.Replace("GRANT INSERT ON {schema}.live TO "+role))
	live(t, e)
}

// TestTimeouts: with a statement_timeout and an idle_in_transaction_session_timeout
// everything works, and what a handler does over them fails alone.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	e := s.openOn(t, s.pool(t, func(c *pgxpool.Config) {
		c.ConnConfig.RuntimeParams["statement_timeout"] = "5s"
		c.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "2s"
	}))
	workLives(t, e)
	for name, over := range map[string]func(context.Context, pgx.Tx) error{
		"statement": func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "SELECT pg_sleep(60)")
			return err
		},
		"idle": func(context.Context, pgx.Tx) error {
			<-time.After(4 * time.Second)
			return nil
		},
	} {
		begin := time.Now()
		err := e.InTx(t.Context(), over)
		if err == nil || time.Since(begin) > elsewhere {
			t.Errorf("InTx() over the timeout %q = %v after %v, want an error", name, err, time.Since(begin))
		}
	}
	live(t, e)
}

func failure(message string) *status.Status {
	return &status.Status{Code: int32(code.Code_UNKNOWN), Message: message}
}

// certificate returns one for 127.0.0.1, with its key, both PEM.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
}

// TestTLSAndRotation: the server wants TLS and a password. The pool's hook brings
// the password to every connection, LISTEN's too, so that a new one is used as
// soon as connections are made anew.
func TestTLSAndRotation(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, nil)
	s := &store{url: server.URL("postgres"), opts: Options{Lease: testLease, Schema: "tls"}}
	cert, key := certificate(t)
	s.exec(t, "COPY (SELECT "+literal(strings.TrimSpace(cert))+") TO PROGRAM $$sed 's/\\\\n/\\n/g' > server.crt$$")
	s.exec(t, "COPY (SELECT "+literal(strings.TrimSpace(key))+") TO PROGRAM $$umask 077; sed 's/\\\\n/\\n/g' > server.key$$")
	s.exec(t, "ALTER SYSTEM SET ssl = on")
	role := s.newRole(t, "first")
	s.exec(t, "COPY (VALUES ('hostssl all "+role+" all scram-sha-256'), ('host all lro all trust')) TO PROGRAM 'cat > pg_hba.conf'")
	s.exec(t, "GRANT CREATE ON DATABASE postgres TO "+role)
	s.exec(t, "SELECT pg_reload_conf()")

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(cert))
	var password atomic.Pointer[string]
	rotate := func(to string) { password.Store(&to) }
	rotate("first")
	secure := func(c *pgxpool.Config) {
		c.ConnConfig.Fallbacks = nil
		c.ConnConfig.TLSConfig = &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}
		c.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
			c.Password = *password.Load()
			return nil
		}
	}
	plain := s.pool(t, as(role), func(c *pgxpool.Config) { c.ConnConfig.Password = "first" })
	for begin := time.Now(); plain.Ping(t.Context()) == nil; { // until the server has read its files
		if time.Since(begin) > elsewhere {
			t.Fatal("the server admits the role without TLS")
		}
		<-time.After(10 * time.Millisecond)
	}
	pool := s.pool(t, as(role), secure)
	if _, _, err := Migrate(t.Context(), pool, s.opts.Schema); err != nil {
		t.Fatalf("Migrate() = %v", err)
	}
	var log logBuffer
	s.opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	e := s.openOn(t, pool)
	workLives(t, e)
	live(t, e)
	listener := func() (pid int, encrypted bool) {
		err := s.pool(t).QueryRow(t.Context(), `SELECT coalesce(max(a.pid), 0), coalesce(bool_and(ssl), false) FROM pg_stat_activity a JOIN pg_stat_ssl USING (pid)
			WHERE usename = $1 AND query LIKE 'LISTEN%'`, role).Scan(&pid, &encrypted)
		if err != nil {
			t.Fatal(err)
		}
		return pid, encrypted
	}
	first, encrypted := listener()
	if first == 0 || !encrypted {
		t.Fatalf("LISTEN of process %d with TLS: %t", first, encrypted)
	}
	// The old password is void before the program has the new one.
	s.exec(t, "ALTER ROLE "+role+" PASSWORD 'second'")
	s.exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = "+literal(role))
	for begin := time.Now(); ; { // the pool finds its connections dead one by one
		_, err := e.Start(t.Context(), engine.Spec{Kind: "k"})
		if !errors.Is(err, engine.ErrUnavailable) || strings.ContainsAny(err.Error(), "\n\t") {
			t.Fatalf("Start() with an old password = %q, want %v in one line", err, engine.ErrUnavailable)
		}
		if strings.Contains(err.Error(), "password authentication failed") {
			break
		}
		if time.Since(begin) > elsewhere {
			t.Fatalf("Start() with an old password = %v", err)
		}
	}
	rotate("second")
	live(t, e)
	for begin := time.Now(); ; {
		if pid, _ := listener(); pid != 0 && pid != first {
			break
		}
		if time.Since(begin) > elsewhere {
			t.Fatalf("no LISTEN with the new password; the log:\n%s", log.String())
		}
		<-time.After(10 * time.Millisecond)
	}
	if text := log.String(); strings.Contains(text, `\n`) || strings.Contains(text, `\t`) {
		t.Errorf("a line of the log has several lines:\n%s", text)
	}
}

// logBuffer is safe for concurrent use.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestNegativePoll: an interval below zero does not poll without a pause.
func TestNegativePoll(t *testing.T) {
	t.Parallel()
	if got := (&Options{Poll: -time.Second}).withDefaults().Poll; got != defaultPoll {
		t.Errorf("Poll of -1s = %v, want %v", got, defaultPoll)
	}
}

// TestUnreachable: the error of a database that cannot be reached is one line, in
// which each address is once.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), "postgres://lro@127.0.0.1:1/x?sslmode=prefer")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	_, err = Open(t.Context(), pool, nil)
	if !errors.Is(err, engine.ErrUnavailable) || strings.ContainsAny(err.Error(), "\n\t") || strings.Count(err.Error(), "dial error") != 1 {
		t.Errorf("Open() = %q, want %v in one line", err, engine.ErrUnavailable)
	}
	if _, _, err = Migrate(t.Context(), pool, ""); err == nil || strings.ContainsAny(err.Error(), "\n\t") {
		t.Errorf("Migrate() = %q, want an error of one line", err)
	}
}
