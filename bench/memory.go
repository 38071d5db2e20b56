package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-lro/lro/bench/report"
	"github.com/go-lro/lro/bench/scripted"
)

// mostMemory ends a client that takes more, before it takes the machine down.
const mostMemory = 6 << 30

var errTooBig = fmt.Errorf("killed at %d GiB", mostMemory>>30)

// held is what an operation that lro waits for may take: resident memory of a
// process that waits for so many, beyond that of one that waits for a single
// one, shared out among them.
type held struct {
	client     client
	operations int
	most       int64
	window     time.Duration // until each has been polled
}

// limits are those of [held]. A group polls 5,000 a second, so that a million
// take 200 s.
var limits = []held{
	{lroPoll, 10_000, 8 << 10, 10 * time.Second},
	{lroPoll, 100_000, 8 << 10, 30 * time.Second},
	{lroGroup, 1_000_000, 900 << 20 / 1_000_000, 230 * time.Second},
}

// exceeded returns an error if the row is above a limit, or has no figure to
// compare with it.
func (h held) exceeded(row report.Memory, single int64) error {
	switch each := (row.Resident - single) / int64(h.operations); {
	case row.Client != h.client.Name || row.Operations != h.operations:
		return nil
	case row.Resident == 0:
		return fmt.Errorf("%s of %d operations: no figure: %s", row.Client, row.Operations, row.Note)
	case each > h.most:
		return fmt.Errorf("%s of %d operations takes %d bytes for each, want at most %d", row.Client, row.Operations, each, h.most)
	}
	return nil
}

// memory has each client wait for up to 100,000 operations that do not end, and a
// group for a million. With few operations the clients do so at the same time,
// with many in turns. It fails where lro takes more than its limits; a short run
// has the first of those.
func (b *bench) memory(ctx context.Context) error {
	clients := []client{lroPoll, lroGroup, goLongrunning, pyThreads, pyAsyncio, nodeGax}
	sizes, window, extra := []int{1, 1_000, 10_000, 100_000}, 30*time.Second, limits[2:]
	if b.short {
		sizes, window, extra = []int{1, 100}, 2*time.Second, limits[:1]
	}
	s, err := startService()
	if err != nil {
		return err
	}
	for _, n := range sizes {
		rows := make([]report.Memory, len(clients))
		var running sync.WaitGroup
		for i, c := range clients {
			running.Go(func() {
				b.say("memory: %d operations, %s", n, c.Name)
				rows[i] = b.hold(ctx, s, c, n, window)
			})
			if n > 1_000 {
				running.Wait()
			}
		}
		running.Wait()
		b.report.Memory = append(b.report.Memory, rows...)
	}
	for _, h := range extra {
		b.say("memory: %d operations, %s", h.operations, h.client.Name)
		b.report.Memory = append(b.report.Memory, b.hold(ctx, s, h.client, h.operations, h.window))
	}
	errs := []error{s.stop()}
	single := make(map[string]int64)
	for _, row := range b.report.Memory {
		if row.Operations == 1 {
			single[row.Client] = row.Resident
		}
		for _, h := range limits {
			errs = append(errs, h.exceeded(row, single[row.Client]))
		}
	}
	return errors.Join(errs...)
}

// hold has a client wait for n operations for as long as window and looks at
// its process.
func (b *bench) hold(ctx context.Context, s *service, c client, n int, window time.Duration) report.Memory {
	row := report.Memory{Client: c.Name, Operations: n, Window: window.Seconds()}
	if why := cmp.Or(b.programs.missing(c.program), c.threadLimit(n)); why != "" {
		row.Note = why
		return row
	}
	label := fmt.Sprintf("%s.%d", c.label, n)
	// The index is filled in by the client.
	names := scripted.Operation{Label: label, End: scripted.Never, Waits: c.waits}.Template()
	const begin = 60 * time.Second // to begin all waits
	p, err := run(ctx, b.programs.command(c, "-target", s.address, "-mode", "hold", "-n", fmt.Sprint(n), "-names", names), window+begin)
	if err != nil {
		row.Note = err.Error()
		return row
	}
	if err := p.watch(&row, window); err != nil {
		row.Note = err.Error()
	}
	counts, err := s.counts(label)
	if err != nil {
		row.Note = err.Error()
	}
	row.Calls = counts.Polls()
	return row
}

var errWindow = errors.New("has been watched long enough")

// watch fills row from a client that waits, until the window after it was
// ready is over.
func (p *peer) watch(row *report.Memory, window time.Duration) error {
	var over <-chan time.Time
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case l, ok := <-p.lines:
			switch {
			case !ok && over == nil:
				if err := p.wait(); err != nil && !errors.Is(err, errTooSlow) {
					return err
				}
				return errors.New("did not begin to wait within a minute")
			case !ok && row.GaveUp == row.Operations:
				return errors.Join(errors.New("all waits gave up"), p.wait())
			case !ok:
				return errors.Join(errors.New("ended early"), p.wait())
			case l.Ready > 0:
				over = time.After(window)
			case l.Error != "":
				row.GaveUp++
			}
		case <-look.C:
			if u, err := p.used(); err == nil && u.resident > mostMemory {
				p.kill(errTooBig)
			}
		case <-over:
			u, err := p.used()
			p.kill(errWindow)
			if ended := p.wait(); !errors.Is(ended, errWindow) {
				return ended
			}
			row.Resident, row.Peak, row.CPU = u.resident, u.peak, u.cpu.Seconds()
			return err
		}
	}
}
