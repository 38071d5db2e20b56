package guard_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-lro/lro/server/guard"
)

// serveHTTP serves handler behind a guard.
func serveHTTP(t *testing.T, l guard.Limits, handler http.HandlerFunc) *pipes {
	t.Helper()
	listener, s := newPipes(), &http.Server{Handler: handler}
	newGuard(t, l).Apply(s)
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(listener) })
	t.Cleanup(func() {
		s.Close()
		serving.Wait()
	})
	return listener
}

// say opens a connection and sends a text.
func say(t *testing.T, l *pipes, text string) net.Conn {
	t.Helper()
	conn, err := l.dial(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

// readAll answers with what it read of the body, or fails as it failed.
func readAll(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestTimeout)
		return
	}
	fmt.Fprint(w, len(body))
}

// TestSlowBodies: a body that never ends is cut after BodyTime, whether the
// handler reads it or has answered without it.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"read":   readAll,
		"unread": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusUnauthorized) },
	} {
		synctest.Test(t, func(t *testing.T) {
			l := serveHTTP(t, guard.Limits{}, handler)
			begin := time.Now()
			conn := say(t, l, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
			var writing sync.WaitGroup
			writing.Go(func() {
				for {
					if _, err := conn.Write([]byte("x")); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			})
			answer, err := io.ReadAll(conn) // until it is closed
			took := time.Since(begin)
			conn.Close()
			writing.Wait()
			if err != nil || took < guard.DefaultBodyTime || took > guard.DefaultBodyTime+10*time.Second || !strings.HasPrefix(string(answer), "HTTP/1.1 4") {
				t.Errorf("%s: a body that never ends: %q, %v after %s", name, answer, err, took)
			}
		})
	}
}

// TestSlowHeaders: headers that never end are cut, and idle connections.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := serveHTTP(t, guard.Limits{}, readAll)
		begin := time.Now()
		if _, err := io.ReadAll(say(t, l, "GET / HTTP/1.1\r\nHost: ")); err != nil || time.Since(begin) != guard.DefaultHeaderTime {
			t.Errorf("headers that never end: %v after %s", err, time.Since(begin))
		}
		begin = time.Now()
		if _, err := io.ReadAll(say(t, l, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil || time.Since(begin) != guard.DefaultIdleTime {
			t.Errorf("an idle connection: %v after %s", err, time.Since(begin))
		}
	})
}

// TestLongAnswers: an answer may take as long as it takes, with a body or
// without, and its ctx lives.
func TestLongAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := serveHTTP(t, guard.Limits{}, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			select {
			case <-r.Context().Done():
				err = r.Context().Err()
			case <-time.After(time.Hour):
			}
			fmt.Fprint(w, len(body), err)
		})
		for _, request := range []string{
			"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
			"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
			"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody",
			"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
		} {
			conn := say(t, l, request)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("%q: %v", request, err)
			}
			answer, _ := io.ReadAll(resp.Body)
			if !strings.HasSuffix(string(answer), "<nil>") {
				t.Errorf("%q: answer %q, want no error", request, answer)
			}
			conn.Close()
		}
	})
}

// TestBodiesInFlight: bodies that are incomplete share the budget; the largest is
// cut, the others arrive.
func TestBodiesInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := serveHTTP(t, guard.Limits{InFlight: 10_000}, readAll)
		header := "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n"
		large := say(t, l, header+strings.Repeat("x", 8000))
		small := say(t, l, header+strings.Repeat("x", 1500))
		synctest.Wait()
		if _, err := io.WriteString(small, strings.Repeat("x", 1500)); err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(large)
		if !strings.HasPrefix(string(answer), "HTTP/1.1 408") {
			t.Errorf("the largest body: %q, want that it was cut", answer)
		}
		if _, err := io.WriteString(small, strings.Repeat("x", 6000)); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(small), nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("the other body: %v, %v, want 200", resp, err)
		}
	})
}

// TestApplyKeeps: what a program set itself stays.
func TestApplyKeeps(t *testing.T) {
	t.Parallel()
	own := &http.HTTP2Config{}
	s := &http.Server{ReadHeaderTimeout: 1, IdleTimeout: 2, MaxHeaderBytes: 3, HTTP2: own}
	newGuard(t, guard.Limits{}).Apply(s)
	if s.ReadHeaderTimeout != 1 || s.IdleTimeout != 2 || s.MaxHeaderBytes != 3 || s.HTTP2 != own || s.ReadTimeout != 0 || s.WriteTimeout != 0 {
		t.Errorf("Apply made %+v", s)
	}
}
