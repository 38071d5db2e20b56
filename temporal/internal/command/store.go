package command

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/go-lro/lro/internal/cli/host"
	"github.com/go-lro/lro/internal/cli/serve"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/server/engine"
)

// store keeps operations in a Temporal service.
type store struct {
	service   service
	taskQueue string
	lease     time.Duration
	role      string
	pageKey   string
}

// Help implements [serve.Store].
func (s *store) Help() serve.Help {
	return serve.Help{
		Records: `Operations are stored in a Temporal service, so any number of these programs can
serve and run the same operations. --role server only answers callers, --role worker
only runs operations.`,
		Stop: `are handed back, and another worker runs them.`,
		Example: `  # Answer callers and run operations, on a Temporal service of this machine
  lro-temporal serve

  # A worker on another machine, with metrics at /metrics and health at /healthz
  lro-temporal serve --role worker --temporal temporal.example:7233 --task-queue lro \
    --metrics --listen 127.0.0.1:9090`,
	}
}

// AddFlags implements [serve.Store].
func (s *store) AddFlags(f *pflag.FlagSet) {
	s.service.addFlags(f)
	f.StringVar(&s.taskQueue, "task-queue", "lro", "share the operations of all who use `NAME`, a prefix of Temporal's task queues")
	f.DurationVar(&s.lease, "lease", 10*time.Second, "give an operation to another worker when its own has not been heard from for `DURATION`")
	f.StringVar(&s.role, "role", "all", "`ROLE` of this process: server answers callers, worker runs operations, all does both")
	f.StringVar(&s.pageKey, "page-key-file", "", "seal page tokens with the secret in `FILE`, the same for all servers; without one, the key follows from the names of namespace and task queue: good on any server, and forgeable by who knows both")
}

// Configure implements [serve.Store].
func (s *store) Configure(c *host.Config) error {
	if _, ok := serve.Roles[s.role]; !ok {
		return fmt.Errorf("--role %q: must be all, server or worker", s.role)
	}
	options, err := s.service.options()
	if err != nil {
		return err
	}
	if c.PageKey, err = s.key(); err != nil {
		return err
	}
	c.Engine = func(ctx context.Context, logger *slog.Logger) (engine.Engine, error) {
		return s.open(ctx, options, logger)
	}
	return nil
}

// minSecret is the length in bytes of a secret that cannot be guessed.
const minSecret = 16

// key is that of page tokens. Without a secret it comes from what all servers of
// the same operations have in common.
func (s *store) key() ([]byte, error) {
	if s.pageKey == "" {
		key := sha256.Sum256(fmt.Appendf(nil, "lro page tokens\n%q\n%q", s.service.namespace, s.taskQueue))
		return key[:], nil
	}
	secret, err := os.ReadFile(s.pageKey)
	if err != nil {
		return nil, fmt.Errorf("--page-key-file: %w", err)
	}
	if len(secret) < minSecret {
		return nil, fmt.Errorf("--page-key-file %q has %d bytes, fewer than %d", s.pageKey, len(secret), minSecret)
	}
	key := sha256.Sum256(secret)
	return key[:], nil
}

// Where implements [serve.Store].
func (s *store) Where() string {
	return term.Clean(fmt.Sprintf("Temporal at %s, namespace %s, task queue %s", s.service.address, s.service.namespace, s.taskQueue))
}

// Role implements [serve.Store].
func (s *store) Role() serve.Role { return serve.Roles[s.role] }
