package cutproxy

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/go-lro/lro/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestProxy(t *testing.T) {
	t.Parallel()
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := echo.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(conn, conn)
			conn.Close()
		}
	}()
	defer func() { echo.Close(); <-ended }()
	p, err := Start(echo.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dial := func() net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", p.Address())
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	// say returns the error of an answer that does not come within a while.
	say := func(conn net.Conn, within time.Duration) error {
		if _, err := conn.Write([]byte("a")); err != nil {
			return err
		}
		if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
			return err
		}
		_, err := io.ReadFull(conn, make([]byte, 1))
		return err
	}
	conn := dial()
	defer conn.Close()
	if err := say(conn, time.Minute); err != nil {
		t.Errorf("an answer through the proxy = %v", err)
	}
	p.Cut()
	if err := say(conn, 50*time.Millisecond); !os.IsTimeout(err) {
		t.Errorf("an answer while it is cut = %v, want none", err)
	}
	p.Restore()
	if err := say(conn, time.Minute); err == nil || os.IsTimeout(err) {
		t.Errorf("an answer on the connection of before = %v, want it reset", err)
	}
	again := dial()
	defer again.Close()
	if err := say(again, time.Minute); err != nil {
		t.Errorf("an answer on a new connection = %v", err)
	}
}
