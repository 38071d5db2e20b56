package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/go-lro/lro/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// start serves the library from dir until stop is called.
func start(t *testing.T, dir string, listener net.Listener, pace time.Duration) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, listener, dir, pace) }()
	return func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// checkArchive fails unless the file that the client was told of holds every
// book once.
func checkArchive(t *testing.T, said string) {
	t.Helper()
	m := regexp.MustCompile(`(?m)^(.*\.tar): 500 books, (\d+) bytes$`).FindStringSubmatch(said)
	if m == nil {
		t.Fatalf("export printed %q, want an archive of 500 books", said)
	}
	data, err := os.ReadFile(m[1])
	if err != nil || fmt.Sprint(len(data)) != m[2] {
		t.Fatalf("archive of %d bytes (%v), want %s", len(data), err, m[2])
	}
	seen := map[string]bool{}
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if seen[h.Name] {
			t.Errorf("%s is there twice", h.Name)
		}
		seen[h.Name] = true
	}
	if len(seen) != 500 {
		t.Errorf("archive has %d books, want 500", len(seen))
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	l := listen(t)
	defer start(t, t.TempDir(), l, time.Microsecond)()
	var out bytes.Buffer
	if err := export(t.Context(), &out, l.Addr().String(), "publishers/acme"); err != nil {
		t.Fatalf("export: %v", err)
	}
	checkArchive(t, out.String())
	if err := export(t.Context(), &out, l.Addr().String(), "publishers/nobody"); err == nil {
		t.Error("export of an unknown publisher: no error")
	}
}

// The server goes away in the middle and comes back; the client only waits.
func TestExportSurvivesRestart(t *testing.T) {
	t.Parallel()
	dir, l := t.TempDir(), listen(t)
	addr := l.Addr().String()
	stop := start(t, dir, l, 20*time.Millisecond)

	half := make(chan struct{})
	out := &marker{mark: []byte("100 of 500"), seen: half}
	exported := make(chan error, 1)
	go func() { exported <- export(t.Context(), out, addr, "publishers/acme") }()
	select {
	case <-half:
	case err := <-exported:
		t.Fatalf("export ended before the restart: %v", err)
	}
	stop()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer start(t, dir, l, time.Millisecond)()
	if err := <-exported; err != nil {
		t.Fatalf("export: %v", err)
	}
	checkArchive(t, out.String())
}

// broken is a listener that fails at once.
type broken struct{ net.Listener }

var errBroken = errors.New("broken")

func (broken) Accept() (net.Conn, error) { return nil, errBroken }

// A server whose listener fails ends, and does not keep the file.
func TestListenerFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 {
		if err := serve(t.Context(), broken{listen(t)}, dir, 0); !errors.Is(err, errBroken) {
			t.Errorf("serve = %v, want %v", err, errBroken)
		}
	}
}

// marker is a buffer that tells when a line beyond the mark was written.
type marker struct {
	bytes.Buffer
	mark []byte
	seen chan struct{}
}

var count = regexp.MustCompile(`(\d+) of 500`)

func (m *marker) Write(p []byte) (int, error) {
	n, err := m.Buffer.Write(p)
	if c := count.FindSubmatch(p); m.mark != nil && c != nil && len(c[1]) >= 3 {
		m.mark = nil
		close(m.seen)
	}
	return n, err
}
