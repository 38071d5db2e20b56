package pgserver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/go-lro/lro/internal/child"
)

// User is the superuser of every server. It needs no password.
const User = "lro"

// Options configure [Start]. The zero value, and a nil pointer, mean the
// defaults.
type Options struct {
	// Durable has each commit survive the loss of power (fsync = on). By default
	// it survives the processes alone, which costs less.
	Durable bool
	// Settings are further settings of the server, such as "max_connections=20".
	Settings []string
	// Env are further variables of the server's environment, NAME=VALUE.
	Env []string
	// Backup is a folder of [Server.Backup], which becomes the server's. It
	// recovers as the settings say (restore_command, recovery_target_name). By
	// default the database cluster is new.
	Backup string
}

// Server is a PostgreSQL server on a directory of its own, for one user and
// this machine alone. Its methods may not be called at the same time.
type Server struct {
	process *child.Process
	bin     string
	dir     string
	as      account
	port    int
	args    []string
	env     []string
}

// Find returns the folder of PostgreSQL's programs: where Debian puts the
// newest, or where the search path leads.
func Find() (string, error) {
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

// Start makes a new database cluster in dir, an empty directory, and serves it
// on a free port of 127.0.0.1. ctx bounds the start alone. As root it runs as the
// user postgres or nobody, to whom it gives dir, since PostgreSQL refuses to run
// as root; that user must be able to reach dir.
func Start(ctx context.Context, dir string, o *Options) (*Server, error) {
	s, err := start(ctx, dir, o)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	return s, nil
}

func start(ctx context.Context, dir string, o *Options) (*Server, error) {
	if o == nil {
		o = &Options{}
	}
	bin, err := Find()
	if err != nil {
		return nil, err
	}
	as, err := unprivileged(dir)
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, dir: dir, as: as, env: o.Env}
	if err := s.fill(ctx, o.Backup); err != nil {
		return nil, err
	}
	settings := []string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200", "log_min_messages=log",
	}
	if !o.Durable {
		settings = append(settings, "fsync=off", "full_page_writes=off")
	}
	for _, setting := range append(settings, o.Settings...) {
		s.args = append(s.args, "-c", setting)
	}
	// Between two attempts another process may take the port.
	for range 5 {
		if s.port, err = freePort(); err != nil {
			return nil, err
		}
		if err = s.run(ctx); err == nil || !strings.Contains(err.Error(), "Address already in use") {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// fill makes the database cluster, out of a backup if there is one.
func (s *Server) fill(ctx context.Context, backup string) error {
	if backup != "" {
		if err := os.Rename(backup, s.data()); err != nil {
			return fmt.Errorf("take over backup: %w", err)
		}
		return os.WriteFile(filepath.Join(s.data(), "recovery.signal"), nil, 0o644)
	}
	return s.command(ctx, "initdb", "--pgdata", s.data(), "--username="+User, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
}

// command runs one of PostgreSQL's programs as the server's user.
func (s *Server) command(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	s.as.apply(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// Backup makes a base backup, without the log that the server has to archive, in
// dir, which must not exist; the server's user must be able to make it.
func (s *Server) Backup(ctx context.Context, dir string) error {
	if err := s.command(ctx, "pg_basebackup", "--pgdata", dir, "--dbname", s.URL("postgres"), "--checkpoint=fast", "--wal-method=none", "--no-sync"); err != nil {
		return fmt.Errorf("back up PostgreSQL: %w", err)
	}
	return nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// run returns when the server accepts connections.
func (s *Server) run(ctx context.Context) error {
	cmd := exec.Command(filepath.Join(s.bin, "postgres"), append([]string{"-D", s.data(), "-p", strconv.Itoa(s.port)}, s.args...)...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), s.env...)
	s.as.apply(cmd)
	process, _, err := child.Start(ctx, cmd, func(line string) (string, bool) {
		return "", strings.Contains(line, "database system is ready to accept connections")
	})
	if err != nil {
		return err
	}
	s.process = process
	return nil
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

// URL names a database, which need not exist yet. The one that each server has
// is "postgres".
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", User, s.port, database)
}

// Port is where the server listens on 127.0.0.1.
func (s *Server) Port() int { return s.port }

// Stop ends the server and all its sessions, with all that was committed on
// disk ("fast shutdown"). When ctx ends first, it kills the server.
func (s *Server) Stop(ctx context.Context) error {
	if err := s.process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	if err := s.process.Wait(ctx); err != nil {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	return nil
}

// Crash ends the server and all its sessions at once, so that the next start has
// to recover ("immediate shutdown").
func (s *Server) Crash(ctx context.Context) error {
	if err := s.process.Signal(syscall.SIGQUIT); err != nil {
		return fmt.Errorf("crash PostgreSQL: %w", err)
	}
	if err := s.process.Wait(ctx); err != nil && !isExit(err) {
		return fmt.Errorf("crash PostgreSQL: %w", err)
	}
	return nil
}

// Restart serves the same databases again, on the same port, after Stop or Crash.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.run(ctx); err != nil {
		return fmt.Errorf("restart PostgreSQL: %w", err)
	}
	return nil
}

func isExit(err error) bool {
	_, ok := errors.AsType[*exec.ExitError](err)
	return ok
}
