package main

import (
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"google.golang.org/grpc"

	kind "github.com/go-lro/lro/internal/kinds/simulate"

	"github.com/go-lro/lro/server/servertest"
)

func TestWait(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "wait.exe")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := servertest.Run(t, kind.Config{}.Handle())
	grpcServer := grpc.NewServer()
	srv.Server().Register(grpcServer)
	srv.Server().RegisterStarter(grpcServer)
	go func() { _ = grpcServer.Serve(listener) }()
	t.Cleanup(grpcServer.Stop)

	out, err := exec.CommandContext(t.Context(), program, listener.Addr().String()).CombinedOutput()
	if err != nil {
		t.Fatalf("wait: %v\n%s", err, out)
	}
	want := regexp.MustCompile(`(?s)operations/\w+ RUNNING \d+ %\n.*SUCCEEDED 100 %\nresponse: hello\n$`)
	if !want.Match(out) {
		t.Errorf("wait printed\n%s\nwant a match of %s", out, want)
	}
}
