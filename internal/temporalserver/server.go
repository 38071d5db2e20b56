package temporalserver

import (
	"context"
	"os/exec"
	"sync"

	"github.com/go-lro/lro/internal/child"
)

// Config is how a Temporal server runs. The zero value is one in memory, with
// the namespace "default".
type Config struct {
	Binary     string   // required: what [Build] returned
	Listen     string   // HOST:PORT; empty means any free port of 127.0.0.1
	File       string   // SQLite file
	Postgres   string   // URL of a database
	Namespaces []string // made where there are none
	Flags      []string // further ones of devserver
}

// Server is a Temporal server. Its methods are safe for concurrent use.
type Server struct {
	hostPort string
	config   Config

	mu      sync.Mutex
	process *child.Process
}

// Start starts a server and returns once it answers.
func Start(ctx context.Context, c Config) (*Server, error) {
	process, address, err := start(ctx, c)
	if err != nil {
		return nil, err
	}
	c.Listen = address
	return &Server{hostPort: address, config: c, process: process}, nil
}

func start(ctx context.Context, c Config) (*child.Process, string, error) {
	args := []string{"--until-eof", "--log-level", "error"}
	if c.Listen != "" {
		args = append(args, "--listen", c.Listen)
	}
	if c.File != "" {
		args = append(args, "--db", c.File)
	}
	if c.Postgres != "" {
		args = append(args, "--postgres", c.Postgres)
	}
	for _, name := range c.Namespaces {
		args = append(args, "--namespace", name)
	}
	return child.Start(ctx, exec.Command(c.Binary, append(args, c.Flags...)...), child.Prefix("ready "))
}

// HostPort is where the server answers, also after a restart.
func (s *Server) HostPort() string { return s.hostPort }

// Kill ends the server at once, as a crash does. What it had not written to its
// store is gone; in memory, that is everything.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process.Kill()
}

// Stop shuts the server down, and kills it when ctx ends first.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process.Stop(ctx)
}

// Restart starts a server that was killed or stopped on the same store and address, and
// returns once it answers.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process.Kill()
	process, _, err := start(ctx, s.config)
	if err != nil {
		return err
	}
	s.process = process
	return nil
}

// Output returns the last lines that the server logged.
func (s *Server) Output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process.Output()
}
