package testserver_test

import (
	"context"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/temporal/internal/testserver"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestRestart(t *testing.T) {
	t.Parallel()
	testserver.Required(t)
	tests := map[string]func(t *testing.T) testserver.Options{
		"file":       func(*testing.T) testserver.Options { return testserver.Options{OnDisk: true} },
		"PostgreSQL": func(t *testing.T) testserver.Options { return testserver.Options{Postgres: testserver.Postgres(t)} },
	}
	for name, options := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testserver.Start(t, options(t))
			at := server.HostPort()
			c := server.Client(t)
			started, err := c.ExecuteActivity(t.Context(), client.StartActivityOptions{
				ID: "a", TaskQueue: "nobody", ScheduleToCloseTimeout: time.Hour,
			}, "kind")
			if err != nil {
				t.Fatal(err)
			}
			server.Kill()
			server.Restart(t)
			if got := server.HostPort(); got != at {
				t.Errorf("HostPort() after Restart = %q, want %q", got, at)
			}
			d, err := server.Client(t).GetActivityHandle(client.GetActivityHandleOptions{ActivityID: started.GetID()}).
				Describe(t.Context(), client.DescribeActivityOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got := d.ActivityID; got != "a" {
				t.Errorf("Describe(a).ActivityID = %q after a restart", got)
			}
		})
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	server := testserver.Start(t, testserver.Options{})
	c := server.Client(t)
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	ask := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := c.CheckHealth(ctx, nil)
		return err
	}
	until(t, "no answer of a paused server", func() bool { return ask() != nil }) // the signal takes its time
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	until(t, "an answer after Resume", func() bool { return ask() == nil })
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
