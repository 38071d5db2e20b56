//go:build unix

package faulttest

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/internal/simulation"
)

var faultRounds = flag.Int("fault-rounds", 0, "how often each test does its harm; 0 skips the tests")

func TestMain(m *testing.M) {
	if config := os.Getenv(workerEnv); config != "" {
		if err := runWorker(config); err != nil {
			fmt.Fprintln(os.Stderr, "error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if is, err := simulation.Member(openPooled); is {
		if err != nil {
			fmt.Fprintln(os.Stderr, "error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	leak.Main(pgtest.Shared(m))
}

// rounds skips the test where faults are not asked for.
func rounds(t *testing.T) int {
	t.Helper()
	if *faultRounds <= 0 {
		t.Skip("SKIPPED: run make test-postgres, or set -fault-rounds")
	}
	pgtest.Required(t)
	return *faultRounds
}
