package cli_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/internal/cli/host"
	"github.com/go-lro/lro/lropb"
)

// leave starts an operation in a database that never runs it, as a process does
// that is killed right after the start.
func leave(t *testing.T, db, dir string) string {
	t.Helper()
	h, err := host.Open(t.Context(), host.Config{DB: db, AnswerOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := h.Serve(ctx, listener); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	packed, err := anypb.New(&lropb.ChecksumRequest{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	op, err := lropb.NewStarterClient(conn).StartOperation(t.Context(), &lropb.StartOperationRequest{Kind: "checksum", Request: packed})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	stop()
	serving.Wait()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	return op.GetName()
}

func TestDemoFindsWhatWasLeft(t *testing.T) {
	t.Parallel()
	folder := func(names ...string) string {
		dir := t.TempDir()
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	one, two := folder("a"), folder("a", "b")
	tests := []struct {
		name    string
		args    []string
		resumed bool
		dir     string
		says    string
	}{
		{"the same directory", []string{one}, true, one, "resuming " + one},
		{"none given", nil, true, one, "resuming " + one},
		{"another directory", []string{two}, false, two, " of " + one + " is unfinished too"},
		{"with another pace", []string{"--pace", "1ms", one}, true, one, "it keeps its pace of 0s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := filepath.Join(t.TempDir(), "demo.db")
			name := leave(t, db, one)
			got := runCommand(t, map[string]string{"GOROOT": two}, append([]string{"demo", "--db", db, "--output", "json"}, tt.args...)...)
			var result demoResult
			if err := json.Unmarshal([]byte(got.out), &result); err != nil {
				t.Fatalf("%+v: %v", got, err)
			}
			if result.Resumed != tt.resumed || (result.Operation == name) != tt.resumed || result.Dir != tt.dir {
				t.Errorf("demo %q = %+v, want resumed %t in %s", tt.args, result, tt.resumed, tt.dir)
			}
			if !strings.Contains(got.err, tt.says) {
				t.Errorf("demo %q said %q, want %q", tt.args, got.err, tt.says)
			}
		})
	}
}
