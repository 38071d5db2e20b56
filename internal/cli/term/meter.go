package term

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	// redrawEvery moves the clock on a terminal even when nothing happens.
	redrawEvery = 100 * time.Millisecond
	// A line in a log is a sign of life, and rarer the longer it takes.
	minLineEvery = 2 * time.Second
	maxLineEvery = time.Minute
	lineShare    = 5 // the next line after a fifth of the elapsed time
	// A line that is due waits this long for news, to show that instead.
	newsGrace = 500 * time.Millisecond
)

// Progress is how far something is.
type Progress struct {
	Label   string // what it is; may be empty
	Percent int    // 0 to 100; negative when it is not known
	Done    int64
	Total   int64  // 0 when it is not known
	Unit    string // what Done counts; empty when nothing is counted
	Text    string // what it is doing
}

// Meter shows a [Progress] on Err until Stop: one moving line on a terminal,
// now and then a line elsewhere. Its methods are safe for concurrent use.
type Meter struct {
	io    *IO
	quiet bool
	begin time.Time
	quit  chan struct{}
	ended sync.WaitGroup

	mu      sync.Mutex
	now     Progress
	known   bool      // Update was called
	drawn   bool      // a bar stands in the last line of the terminal
	printed time.Time // when a line was, or the meter began
	shown   Progress  // in that line
}

// NewMeter starts a meter. A quiet one shows nothing, but prints lines. Call
// Stop when it is not needed any more.
func NewMeter(io *IO, quiet bool) *Meter {
	begin := time.Now()
	m := &Meter{io: io, quiet: quiet, begin: begin, printed: begin, quit: make(chan struct{})}
	if !quiet {
		m.ended.Go(m.run)
	}
	return m
}

func (m *Meter) run() {
	t := time.NewTicker(redrawEvery)
	defer t.Stop()
	for {
		select {
		case <-m.quit:
			return
		case <-t.C:
			m.mu.Lock()
			m.showLocked(newsGrace)
			m.mu.Unlock()
		}
	}
}

// patience is how long a call may take before a sign of life is due.
const patience = time.Second

// Busy shows text, if it takes longer than a moment, until stop is called.
func Busy(io *IO, text string) (stop func()) {
	m := NewMeter(io, false)
	late := time.AfterFunc(patience, func() { m.Update(Progress{Percent: -1, Text: text}) })
	return func() {
		late.Stop()
		m.Stop()
	}
}

// maxText is how much of a text is worth a line, in bytes.
const maxText = 200

// Update changes what is shown. Texts are cleaned, and cut to what is worth a
// line.
func (m *Meter) Update(p Progress) {
	p.Label, p.Unit, p.Text = Short(p.Label, maxText), Short(p.Unit, maxText), Short(p.Text, maxText)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now, m.known = p, true
	m.showLocked(0)
}

// Note shows that something is amiss without changing the progress.
func (m *Meter) Note(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Text, m.known = Short(text, maxText), true
	m.showLocked(0)
}

// Println prints a line that stays to w, which is Out or Err. The text must be
// clean. The error is the writer's.
func (m *Meter) Println(w io.Writer, text string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.eraseLocked()
	_, err := io.WriteString(w, text+"\n")
	m.showLocked(newsGrace)
	return err
}

// Finish shows the progress that is the last one, also where a line has just been
// printed, unless none was.
func (m *Meter) Finish(p Progress) {
	m.Update(p)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.quiet || m.io.ErrTerminal || m.printed.Equal(m.begin) || m.shown == m.now {
		return
	}
	m.printLocked()
}

// Stop erases the bar. The meter shows nothing any more. Stopping twice is
// fine.
func (m *Meter) Stop() {
	m.mu.Lock()
	stopped := m.quiet
	m.quiet = true
	m.eraseLocked()
	m.mu.Unlock()
	if !stopped {
		close(m.quit)
	}
	m.ended.Wait()
}

// Elapsed returns the time since the meter was started.
func (m *Meter) Elapsed() time.Duration { return time.Since(m.begin) }

const eraseLine = "\r\x1b[K"

func (m *Meter) eraseLocked() {
	if m.drawn {
		io.WriteString(m.io.Err, eraseLine)
		m.drawn = false
	}
}

// showLocked draws the bar, or prints a line that has been due for grace.
func (m *Meter) showLocked(grace time.Duration) {
	if m.quiet || !m.known {
		return
	}
	elapsed := time.Since(m.begin)
	if m.io.ErrTerminal {
		// One write, so that nothing of another process comes between. The
		// last column stays free: some terminals wrap when it is written.
		io.WriteString(m.io.Err, eraseLine+bar(m.now, elapsed, m.io.Width()-1))
		m.drawn = true
		return
	}
	if time.Since(m.printed) < min(max(minLineEvery, elapsed/lineShare), maxLineEvery)+grace {
		return
	}
	m.printLocked()
}

func (m *Meter) printLocked() {
	m.printed, m.shown = time.Now(), m.now
	fmt.Fprintln(m.io.Err, line(m.now, time.Since(m.begin)))
}

// counts is "4,812/11,478 files", or as much of it as is known.
func (p Progress) counts() string {
	if p.Unit == "" && p.Total == 0 {
		return ""
	}
	text := Count(p.Done)
	if p.Total > 0 {
		text += "/" + Count(p.Total)
	}
	if p.Unit != "" {
		text += " " + p.Unit
	}
	return text
}

// line is a progress as a line of a log.
func line(p Progress, elapsed time.Duration) string {
	var parts []string
	if p.Percent >= 0 {
		parts = append(parts, fmt.Sprintf("%d%%", p.Percent))
	}
	for _, s := range []string{p.counts(), Seconds(elapsed), p.Text} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	text := strings.Join(parts, "  ")
	if p.Label != "" {
		text = p.Label + ": " + text
	}
	return text
}

const (
	minBar = 8
	maxBar = 30
)

// bar is a progress as one line of at most so many columns: what matters most
// comes first and is never cut for what matters less.
func bar(p Progress, elapsed time.Duration, columns int) string {
	percent := "    "
	if p.Percent >= 0 {
		percent = fmt.Sprintf("%3d%%", min(p.Percent, 100))
	}
	head, tail := percent, Seconds(elapsed)
	if counts := p.counts(); counts != "" {
		tail = counts + "  " + tail
	}
	room := columns - Columns(head) - Columns(tail) - len(" []  ")
	if p.Label != "" && room >= 3*minBar {
		label := Fit(p.Label, room-2*minBar)
		head = label + "  " + head
		room -= Columns(label) + 2
	}
	text := head
	if room >= minBar {
		cells := min(room, maxBar)
		text += " [" + cellsOf(p.Percent, elapsed, cells) + "]"
	}
	text += "  " + tail
	if left := columns - Columns(text) - 2; p.Text != "" && left >= minBar {
		text += "  " + Fit(p.Text, left)
	}
	return Fit(text, columns)
}

// cellsOf is the inside of the brackets. Without a percentage a block runs
// through it, so that one sees it live.
func cellsOf(percent int, elapsed time.Duration, cells int) string {
	if percent < 0 {
		const block = "<=>"
		at := int(elapsed/redrawEvery) % (2 * (cells - len(block)))
		if at > cells-len(block) {
			at = 2*(cells-len(block)) - at
		}
		return strings.Repeat(" ", at) + block + strings.Repeat(" ", cells-len(block)-at)
	}
	full := min(percent, 100) * cells / 100
	if full == cells {
		return strings.Repeat("=", cells)
	}
	return strings.Repeat("=", full) + ">" + strings.Repeat(" ", cells-full-1)
}
