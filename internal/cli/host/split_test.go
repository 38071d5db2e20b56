package host

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestSilentConnections: connections that say nothing, or half of something,
// neither hold up others nor the end of the server.
func TestSilentConnections(t *testing.T) {
	t.Parallel()
	addr := serve(t, Config{})
	for _, text := range []string{"", "P", preface[:20], preface, "GET / HT", "\x16\x03\x01"} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
	}
	if code, _ := fetch(t, client(t, nil), "http://"+addr+"/healthz"); code != 200 {
		t.Errorf("GET /healthz beside silent connections = %d", code)
	}
}

func TestSilentConnectionTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		begin := time.Now()
		s := split(nowhere{}, nil)
		if to, ready := s.look(far); ready != nil {
			t.Errorf("a silent connection went to %v", to)
		}
		if took := time.Since(begin); took != helloTimeout {
			t.Errorf("a silent connection was given up after %v, want %v", took, helloTimeout)
		}
	})
}

// nowhere is a listener that is never used.
type nowhere struct{ net.Listener }

func (nowhere) Addr() net.Addr { return nil }

func TestStopBeforeServe(t *testing.T) {
	t.Parallel()
	h, err := Open(t.Context(), Config{DB: filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Serve(ctx, listener); err != nil {
		t.Errorf("Serve with a ctx that has ended = %v", err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}

// brokenListener fails at once, as one does that the system has taken away.
type brokenListener struct{ net.Listener }

var errBroken = errors.New("broken")

func (brokenListener) Accept() (net.Conn, error) { return nil, errBroken }

// TestListenerFails: the process does not keep the file and answer no calls.
func TestListenerFails(t *testing.T) {
	t.Parallel()
	h, err := Open(t.Context(), Config{DB: filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Serve(t.Context(), brokenListener{listener}); !errors.Is(err, errBroken) {
		t.Errorf("Serve = %v, want %v", err, errBroken)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}

// FuzzReadPreface checks that what was read to tell a protocol is what the
// server reads, in whatever pieces it comes.
func FuzzReadPreface(f *testing.F) {
	f.Add([]byte(preface+"more"), uint8(7))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), uint8(1))
	f.Add([]byte("PRI * HTTP/1.1"), uint8(3))
	f.Add([]byte(""), uint8(1))
	f.Fuzz(func(t *testing.T, text []byte, step uint8) {
		near, far := net.Pipe()
		var writing sync.WaitGroup
		writing.Go(func() {
			defer near.Close()
			for rest := text; len(rest) > 0; {
				n := min(len(rest), max(1, int(step)))
				if _, err := near.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
		})
		defer writing.Wait()
		defer far.Close()
		read, ok := readPreface(far)
		if ok != (len(text) > 0) {
			t.Fatalf("readPreface of %q = %q, %t", text, read, ok)
		}
		if (string(read) == preface) != bytes.HasPrefix(text, []byte(preface)) {
			t.Errorf("readPreface of %q = %q: wrong protocol", text, read)
		}
		all, err := io.ReadAll(&replayed{Conn: far, first: read})
		if err != nil || !bytes.Equal(all, text) {
			t.Errorf("after readPreface of %q the server reads %q, %v", text, all, err)
		}
	})
}
