package backend

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/go-lro/lro/temporal/internal/child"
)

// Postgres is a PostgreSQL server on a directory of its own, for one user and
// this machine alone.
type Postgres struct {
	process *child.Process
	port    int
}

// FindPostgres returns the folder of PostgreSQL's programs: where Debian puts
// the newest, or where the search path leads.
func FindPostgres() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		return "", fmt.Errorf("find PostgreSQL: %w", err)
	}
	return filepath.Dir(path), nil
}

// version returns the number in /usr/lib/postgresql/15/bin/postgres.
func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

// StartPostgres makes a new database cluster in dir, an empty directory, and
// serves it on a free port of 127.0.0.1. As root it runs as the user postgres or
// nobody, to whom it gives dir, since PostgreSQL refuses to run as root; that
// user must be able to reach dir.
func StartPostgres(ctx context.Context, dir string) (*Postgres, error) {
	p, err := startPostgres(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	return p, nil
}

func startPostgres(ctx context.Context, dir string) (*Postgres, error) {
	bin, err := FindPostgres()
	if err != nil {
		return nil, err
	}
	as, err := unprivileged(dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "--pgdata", data, "--username=temporal",
		"--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, as()
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make database cluster: %w\n%s", err, out)
	}
	// Between two attempts somebody else may take the port.
	for range 5 {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		cmd := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(port),
			"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200", "-c", "log_min_messages=log")
		cmd.Dir, cmd.SysProcAttr = dir, as()
		process, _, err := child.Start(ctx, cmd, func(line string) (string, bool) {
			return "", strings.Contains(line, "database system is ready to accept connections")
		})
		if err == nil {
			return &Postgres{process, port}, nil
		}
		if !strings.Contains(err.Error(), "Address already in use") {
			return nil, err
		}
	}
	return nil, errors.New("found no free port")
}

// freePort returns one that the system does not give to outgoing connections.
func freePort() (int, error) {
	var err error
	for range 100 {
		port := 20_000 + rand.IntN(12_000)
		var l *net.TCPListener
		if l, err = net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("find free port: %w", err)
}

// unprivileged returns what makes a command run as somebody whom PostgreSQL
// accepts, after giving dir to them.
func unprivileged(dir string) (func() *syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return func() *syscall.SysProcAttr { return nil }, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("find a user to run as: %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		return nil, err
	}
	return func() *syscall.SysProcAttr {
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}, nil
}

// URL names a database, which need not exist yet.
func (p *Postgres) URL(database string) string {
	return fmt.Sprintf("postgres://temporal@127.0.0.1:%d/%s?sslmode=disable", p.port, database)
}

// Stop ends the server and all its sessions.
func (p *Postgres) Stop(ctx context.Context) error {
	if err := p.process.Signal(os.Interrupt); err != nil { // "fast shutdown"
		return err
	}
	return p.process.Wait(ctx)
}
