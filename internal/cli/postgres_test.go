//go:build !windows

package cli_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/pgtest"
)

// TestServePostgres: two processes share operations, what one has started the other
// one runs, page tokens hold on both, and what a killed one was running is done.
func TestServePostgres(t *testing.T) {
	t.Parallel()
	db := []string{"--db", pgtest.URL(t), "--schema", "cli serve"}
	_, front, _ := startServer(t, append(db, "--role", "server", "--metrics")...)
	env := []string{"LRO_ADDR=" + front, "LRO_PLAINTEXT=1"}
	name := runProcess(t, env, "start", "simulate", `{"duration": "2s", "steps": 100, "echo": "hello"}`)
	if got := runProcess(t, env, "get", name); !strings.Contains(got, "PENDING") {
		t.Errorf("get without a worker printed\n%s\nwant PENDING", got)
	}
	if got, want := fetchText(t, "http://"+front+"/metrics"), `lro_engine_queue_depth{kind="simulate"} 1`; !strings.Contains(got, want) {
		t.Errorf("the metrics are\n%s\nwant %s", got, want)
	}
	worker, _, _ := startServer(t, db...)
	for !strings.Contains(runProcess(t, env, "get", name), "RUNNING") {
	}
	if err := worker.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = worker.Wait()

	second, other, stderr := startServer(t, db...)
	if out := runProcess(t, env, "wait", "--timeout", "1m", name); !strings.Contains(out, `"echo": "hello"`) {
		t.Errorf("wait after the worker was killed printed\n%s", out)
	}
	// A page token of one server is good on the other.
	runProcess(t, env, "start", "simulate", `{"echo": "second"}`)
	first := pageOf(t, front, "")
	if first.Token == "" || len(first.Operations) != 1 {
		t.Fatalf("the first page of 2 operations is %+v, want one and a token", first)
	}
	if second := pageOf(t, other, first.Token); len(second.Operations) != 1 || second.Operations[0].Name != name {
		t.Errorf("the second page, of another server, is %+v, want %q", second, name)
	}
	if err := second.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	scanFor(t, stderr, regexp.MustCompile("^stopping$"))
	if err := second.Wait(); err != nil {
		t.Errorf("serve after SIGTERM: %v, want exit status 0", err)
	}
}

func fetchText(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// listed is a page of a list.
type listed struct {
	Operations []struct{ Name string }
	Token      string `json:"nextPageToken"`
}

func pageOf(t *testing.T, addr, token string) listed {
	t.Helper()
	resp, err := http.Get("http://" + addr + "/v1/operations?pageSize=1&pageToken=" + url.QueryEscape(token))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var l listed
	if err := json.NewDecoder(resp.Body).Decode(&l); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("list on %s = %s, %v", addr, resp.Status, err)
	}
	return l
}

// TestDemoPostgres: a demo that was killed is resumed from the database.
func TestDemoPostgres(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 40 {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"demo", "--db", pgtest.URL(t), "--schema", "cli demo", "--pace", "100ms", dir}
	first := command(t, args...)
	name := scanFor(t, bufio.NewScanner(capture(t, first)), regexp.MustCompile("^started (operations/[^:]+):"))[1]
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	var result demoResult
	if err := json.Unmarshal([]byte(runProcess(t, nil, append(args, "--output", "json")...)), &result); err != nil {
		t.Fatal(err)
	}
	if !result.Resumed || result.Operation != name {
		t.Errorf("the second demo = %+v, want %q resumed", result, name)
	}
}

// TestMigrate: the schema is made once, by a command that needs no server.
func TestMigrate(t *testing.T) {
	t.Parallel()
	db := pgtest.URL(t)
	for _, want := range []string{"created, version 3", "up to date, version 3"} {
		if got := runProcess(t, nil, "migrate", "--db", db, "--schema", "cli migrate"); !strings.HasSuffix(got, want) || strings.Contains(got, "sslmode") {
			t.Errorf("lro migrate printed %q, want %q", got, want)
		}
	}
	if got := runProcess(t, nil, "migrate", "--print", "--schema", "a b"); !strings.Contains(got, `CREATE TABLE "a b".op (`) {
		t.Errorf("lro migrate --print printed\n%s", got)
	}
	if got := runProcess(t, nil, "migrate", "--print", "--after", "1"); strings.Contains(got, `CREATE TABLE "lro".op (`) || !strings.Contains(got, "-- 0002_") {
		t.Errorf("lro migrate --print --after 1 printed\n%s", got)
	}
	conn, err := pgx.Connect(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), `UPDATE "cli migrate".version SET version = 99; CREATE ROLE cli_migrate LOGIN`); err != nil {
		t.Fatal(err)
	}
	want := "unchanged, version 99: newer than this lro, which knows version 3"
	if got := runProcess(t, nil, "migrate", "--db", db, "--schema", "cli migrate"); !strings.HasSuffix(got, want) {
		t.Errorf("lro migrate of a newer schema printed %q, want %q", got, want)
	}
	u, err := url.Parse(db)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User("cli_migrate")
	got := failProcess(t, nil, "serve", "--listen", "127.0.0.1:0", "--db", u.String(), "--schema", "cli missing")
	if !strings.Contains(got, `: role "cli_migrate" must own the schema, or be able to create it`) || !strings.Contains(got, "run lro migrate once") {
		t.Errorf("serve by a role that may not create the schema said %q", got)
	}
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"migrate"}, exit.Usage, "--db is required: the URL of a PostgreSQL database"},
		{[]string{"migrate", "--db", db, "--after", "1"}, exit.Usage, "--after needs --print"},
		{[]string{"backup", "--db", "postgres://u:secret@127.0.0.1:1/db", "x"}, exit.Usage, `"postgres://u:xxxxx@127.0.0.1:1/db" is a PostgreSQL database, and this command works on a SQLite file: back it up with pg_dump`},
		{[]string{"compact", "--db", "postgres://u:secret@127.0.0.1:1/db"}, exit.Usage, "its autovacuum makes space free"},
		{[]string{"serve", "--notify-db", "none"}, exit.Usage, "--notify-db needs a PostgreSQL database"},
		{[]string{"serve", "--db", db, "--notify-db", "postgres://u:secret@127.0.0.1:port/db"}, exit.Usage, "--notify-db: "},
		{[]string{"serve", "--role", "worker"}, exit.Usage, `--role "worker" needs a PostgreSQL database`},
		{[]string{"serve", "--role", "boss"}, exit.Usage, `--role "boss": must be all, server or worker`},
		{[]string{"serve", "--db", "postgres://u:secret@127.0.0.1:1/db"}, exit.Unknown, "reach PostgreSQL: "},
		{[]string{"serve", "--db", "postgres://u:secret@127.0.0.1:port/db"}, exit.Usage, "--db: "},
		{[]string{"demo", "--db", "postgres://u:secret@127.0.0.1:port/db"}, exit.Usage, "--db: "},
	} {
		got := runCommand(t, nil, tt.args...)
		if got.status != tt.code || !strings.Contains(got.err, tt.want) || strings.Contains(got.err, "secret") {
			t.Errorf("lro %q = %+v, want %d, %q and no password", tt.args, got, tt.code, tt.want)
		}
	}
}

// TestServePostgresRole: a role that lacks a right ends serve at once, with an
// error that names both.
func TestServePostgresRole(t *testing.T) {
	t.Parallel()
	db := pgtest.URL(t)
	conn, err := pgx.Connect(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	runProcess(t, nil, "migrate", "--db", db, "--schema", "cli role")
	_, err = conn.Exec(t.Context(), `CREATE ROLE cli_role LOGIN; GRANT USAGE ON SCHEMA "cli role" TO cli_role;
		GRANT SELECT ON ALL TABLES IN SCHEMA "cli role" TO cli_role; GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA "cli role" TO cli_role`)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(db)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User("cli_role")
	got := failProcess(t, nil, "serve", "--listen", "127.0.0.1:0", "--db", u.String(), "--schema", "cli role")
	if !strings.Contains(got, `role "cli_role" lacks in schema "cli role": INSERT, UPDATE, DELETE on live; `) || strings.Contains(got, "unavailable") {
		t.Errorf("serve by a role that may only read said %q", got)
	}
}
