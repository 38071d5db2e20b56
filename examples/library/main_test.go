package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/lrohttp"
)

// asServer makes a copy of the test binary the program.
const asServer = "LRO_TEST_AS_LIBRARY"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		main()
		return
	}
	leak.Main(pgtest.Shared(m))
}

// start serves a library until stop is called.
func start(t *testing.T, library *library, listener net.Listener) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, library, listener, listen(t)) }()
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
// book once. It returns the file.
func checkArchive(t *testing.T, said string) []byte {
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
	return data
}

func dial(t *testing.T, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestExport(t *testing.T) {
	t.Parallel()
	l := listen(t)
	defer start(t, newLibrary(t.TempDir(), time.Microsecond), l)()
	conn := dial(t, l.Addr().String())
	var out bytes.Buffer
	if err := export(t.Context(), &out, conn, "publishers/acme"); err != nil {
		t.Fatalf("export: %v", err)
	}
	checkArchive(t, out.String())
	if want := "\r[" + strings.Repeat("=", 50) + "] 500 of 500 books\n"; !strings.Contains(out.String(), want) {
		t.Errorf("export printed %q, want %q in it", out.String(), want)
	}
	_, err := librarypb.NewLibraryClient(conn).ExportBooks(t.Context(), &librarypb.ExportBooksRequest{Parent: "publishers/nobody"})
	if status.Code(err) != codes.NotFound {
		t.Errorf("ExportBooks of an unknown publisher: got error %v, want NOT_FOUND before an operation exists", err)
	}
}

// The operations are served over HTTP/JSON too.
func TestExportOverHTTP(t *testing.T) {
	t.Parallel()
	l, web := listen(t), listen(t)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, newLibrary(t.TempDir(), time.Microsecond), l, web) }()
	op, err := librarypb.NewLibraryLROClient(dial(t, l.Addr().String()), nil).
		ExportBooks(t.Context(), &librarypb.ExportBooksRequest{Parent: "publishers/acme"})
	if err != nil {
		t.Fatal(err)
	}
	rest, err := lrohttp.NewClient("http://" + web.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	over, err := librarypb.Library_ExportBooks_Method.Resume(lro.NewClient(rest), op.Name())
	if err != nil {
		t.Fatal(err)
	}
	if archive, err := over.Wait(t.Context()); err != nil || archive.GetBooks() != 500 {
		t.Errorf("Wait over HTTP/JSON: got %v, %v, want an archive of 500 books", archive, err)
	}
	stop()
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
}

// begin starts an export and returns once it is well under way.
func begin(t *testing.T, addr string) (out *marker, exported chan error) {
	t.Helper()
	out = &marker{seen: make(chan struct{})}
	exported = make(chan error, 1)
	conn := dial(t, addr)
	go func() { exported <- export(t.Context(), out, conn, "publishers/acme") }()
	select {
	case <-out.seen:
	case err := <-exported:
		t.Fatalf("export ended before the restart: %v", err)
	}
	return out, exported
}

// The server goes away in the middle and comes back; the client only waits.
func TestExportSurvivesRestart(t *testing.T) {
	t.Parallel()
	dir, l := t.TempDir(), listen(t)
	addr := l.Addr().String()
	stop := start(t, newLibrary(dir, 20*time.Millisecond), l)
	out, exported := begin(t, addr)
	stop()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer start(t, newLibrary(dir, time.Millisecond), l)()
	if err := <-exported; err != nil {
		t.Fatalf("export: %v", err)
	}
	checkArchive(t, out.String())
}

// The server is killed in the middle, and another one continues from the last
// checkpoint.
func TestExportSurvivesKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-addr", "127.0.0.1:0", "-http", "127.0.0.1:0", "-dir", dir, "-pace", "20ms", "serve")
	cmd.Env = append(os.Environ(), asServer+"=1")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // fails if it has ended
		_ = cmd.Wait()
	})
	defer kill()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("start the server: it printed %q: %v", line, err)
	}
	addr := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(line)
	out, exported := begin(t, addr)
	kill()

	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	changed := newLibrary(dir, time.Millisecond)
	const mark = "written again"
	for _, book := range changed.publishers["publishers/acme"][:100-booksPerCheckpoint] {
		book.Text = mark
	}
	defer start(t, changed, l)()
	if err := <-exported; err != nil {
		t.Fatalf("export: %v", err)
	}
	if bytes.Contains(checkArchive(t, out.String()), []byte(mark)) {
		t.Error("books before the last checkpoint were written again")
	}
}

// An attempt may end between the end of the archive and the end of the operation,
// and the file may be lost: what is written again is whole.
func TestArchiveIsWrittenAgain(t *testing.T) {
	t.Parallel()
	for name, between := range map[string]func(file string) error{
		"complete": func(string) error { return nil },
		"lost":     os.Remove,
		"cut off":  func(file string) error { return os.Truncate(file, 100) },
	} {
		l := newLibrary(t.TempDir(), 0)
		var checkpoint []byte
		write := func() *librarypb.ExportBooksResponse {
			a, err := l.openArchive("x", "publishers/acme", checkpoint)
			if err != nil {
				t.Fatalf("%s: openArchive: %v", name, err)
			}
			defer a.close()
			for !a.full() {
				saved, err := a.add(t.Context())
				if err != nil {
					t.Fatalf("%s: add: %v", name, err)
				}
				if saved != nil && a.at.Books < len(a.books) {
					checkpoint = saved
				}
			}
			resp, err := a.finish()
			if err != nil {
				t.Fatalf("%s: finish: %v", name, err)
			}
			return resp
		}
		if err := between(write().GetFile()); err != nil {
			t.Fatal(err)
		}
		resp := write()
		checkArchive(t, fmt.Sprintf("%s: %d books, %d bytes", resp.GetFile(), resp.GetBooks(), resp.GetBytes()))
	}
}

// broken is a listener that fails at once.
type broken struct{ net.Listener }

var errBroken = errors.New("broken")

func (broken) Accept() (net.Conn, error) { return nil, errBroken }

// A server with a listener that fails ends, and does not keep the file.
func TestListenerFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 {
		if err := serve(t.Context(), newLibrary(dir, 0), broken{listen(t)}, listen(t)); !errors.Is(err, errBroken) {
			t.Errorf("serve with a broken listener: got error %v, want %v", err, errBroken)
		}
		if err := serve(t.Context(), newLibrary(dir, 0), listen(t), broken{listen(t)}); !errors.Is(err, errBroken) {
			t.Errorf("serve with a broken listener for HTTP: got error %v, want %v", err, errBroken)
		}
	}
}

// marker is a buffer that closes seen when the export has written 100 books.
type marker struct {
	bytes.Buffer
	seen chan struct{}
	told bool
}

var count = regexp.MustCompile(` 1\d\d of 500`)

func (m *marker) Write(p []byte) (int, error) {
	if !m.told && count.Match(p) {
		m.told = true
		close(m.seen)
	}
	return m.Buffer.Write(p)
}
