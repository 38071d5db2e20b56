package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/go-lro/lro/internal/leak"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(workerEnv); text != "" {
		ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		err := serveWorker(ctx, text)
		cancel()
		if err != nil {
			fmt.Fprintln(os.Stderr, "error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	leak.Main(m)
}
