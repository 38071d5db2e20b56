package server_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/go-lro/lro/internal/leak"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(waitServerEnv); path != "" {
		if err := waitServer(path, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "serve for BenchmarkWait:", err)
			os.Exit(1)
		}
		return
	}
	leak.Main(m)
}
