package term

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// recorder is a stream that remembers what was written to it.
type recorder struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

// take returns what was written since the last time.
func (r *recorder) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.text.Reset()
	return r.text.String()
}

func TestLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &recorder{}
		m := NewMeter(&IO{Err: out}, false)
		p := Progress{Percent: 0, Total: 4000, Unit: "files"}
		m.Update(p)
		if got := out.take(); got != "" {
			t.Errorf("a meter that has just begun printed %q, want nothing", got)
		}
		for range 3600 {
			p.Done++
			p.Percent = int(p.Done / 40)
			m.Update(p)
			time.Sleep(time.Second)
		}
		m.Stop()
		lines := strings.Split(strings.TrimSuffix(out.take(), "\n"), "\n")
		if want := "/4,000 files  2s"; !strings.HasPrefix(lines[0], "0%  ") || !strings.HasSuffix(lines[0], want) {
			t.Errorf("first line %q, want it after 2 s", lines[0])
		}
		// Every 2 s at first, after a fifth of the time later, at last every
		// minute.
		if n := len(lines); n < 50 || n > 80 {
			t.Errorf("an hour was worth %d lines, want a calm rate:\n%s", n, strings.Join(lines, "\n"))
		}
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, "8") || strings.Contains(last, "\x1b") {
			t.Errorf("last line %q, want one near 90%% and no escapes", last)
		}
	})
}

// A line that is due tells what comes a moment later, not what was before.
func TestLinesWaitForNews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &recorder{}
		m := NewMeter(&IO{Err: out}, false)
		defer m.Stop()
		m.Update(Progress{Percent: 10})
		time.Sleep(2100 * time.Millisecond)
		m.Update(Progress{Percent: 20})
		if got, want := out.take(), "20%  2s\n"; got != want {
			t.Errorf("news after 2.1 s printed %q, want %q", got, want)
		}
		time.Sleep(3 * time.Second)
		if got, want := out.take(), "20%  4s\n"; got != want {
			t.Errorf("3 s without news printed %q, want %q", got, want)
		}
	})
}

func TestLinesAreASignOfLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &recorder{}
		stop := Busy(&IO{Err: out}, "asking \x1b[31mnobody")
		time.Sleep(time.Minute)
		stop()
		got := out.take()
		if !strings.Contains(got, "2s  asking \\x1b[31mnobody\n") || strings.Count(got, "\n") < 5 {
			t.Errorf("a minute of silence showed %q, want lines", got)
		}
		stop = Busy(&IO{Err: out}, "asking")
		time.Sleep(900 * time.Millisecond)
		stop()
		if got := out.take(); got != "" {
			t.Errorf("a quick call showed %q, want nothing", got)
		}
	})
}

func TestBar(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &recorder{}
		m := NewMeter(&IO{Err: out, ErrTerminal: true, Columns: func() int { return 62 }}, false)
		m.Update(Progress{Percent: 42, Done: 4812, Total: 11478, Unit: "files", Text: "a/b"})
		if got, want := out.take(), "\r\x1b[K 42% [============>                 ]  4,812/11,478 files  0s"; got != want {
			t.Errorf("bar %q, want %q", got, want)
		}
		time.Sleep(1050 * time.Millisecond)
		if got := out.take(); strings.Count(got, "\r") != 10 || !strings.HasSuffix(got, "  1s") {
			t.Errorf("in a second the bar drew %q, want it ten times, with a clock", got)
		}
		if err := m.Println(m.io.Err, "kept"); err != nil {
			t.Fatal(err)
		}
		if got := out.take(); !strings.HasPrefix(got, "\r\x1b[Kkept\n\r\x1b[K 42%") {
			t.Errorf("a line above the bar wrote %q", got)
		}
		m.Stop()
		m.Stop()
		if got, want := out.take(), "\r\x1b[K"; got != want {
			t.Errorf("stopping wrote %q, want the line erased", got)
		}
		m.Update(Progress{Percent: 50})
		if got := out.take(); got != "" {
			t.Errorf("a stopped meter wrote %q", got)
		}
	})
}

func TestBarFits(t *testing.T) {
	t.Parallel()
	progress := []Progress{
		{Percent: -1},
		{Percent: -1, Text: "waiting"},
		{Percent: 0, Total: 3, Unit: "operations"},
		{Percent: 100, Done: 3, Total: 3, Unit: "operations", Text: "世界世界世界世界世界世界世界世界世界世界世界世界世界"},
		{Percent: 7, Done: 1 << 40, Total: 1 << 42, Unit: "bytes", Label: "projects/p/locations/l/operations/o00000001"},
		{Percent: 999, Label: strings.Repeat("x", 500), Text: strings.Repeat("y", 500)},
	}
	for columns := 1; columns < 200; columns++ {
		for _, p := range progress {
			for _, elapsed := range []time.Duration{0, 950 * time.Millisecond, 1234 * time.Hour} {
				got := bar(p, elapsed, columns)
				if n := Columns(got); n > columns {
					t.Errorf("bar(%+v, %v, %d) = %q takes %d columns", p, elapsed, columns, got, n)
				}
				if strings.ContainsAny(got, "\r\n\x1b") {
					t.Errorf("bar(%+v, %v, %d) = %q is more than a line", p, elapsed, columns, got)
				}
			}
		}
	}
}

func TestQuietMeter(t *testing.T) {
	t.Parallel()
	out := &recorder{}
	m := NewMeter(&IO{Err: out, ErrTerminal: true}, true)
	m.Update(Progress{Percent: 42})
	if err := m.Println(out, "kept"); err != nil {
		t.Fatal(err)
	}
	m.Stop()
	if got := out.take(); got != "kept\n" {
		t.Errorf("a quiet meter wrote %q, want its line alone", got)
	}
}
