package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-lro/lro/bench/report"
	"github.com/go-lro/lro/bench/scripted"
)

// length of operations, and over how long the starts of all are spread.
type length struct{ nominal, spread time.Duration }

var lengths = []length{
	{200 * time.Millisecond, 4 * time.Second},
	{2 * time.Second, 4 * time.Second},
	{10 * time.Second, 10 * time.Second},
	{60 * time.Second, 10 * time.Second},
}

// patience is how much longer than its operations' start and life a client may
// wait: twice the longest pause of all schedules, and some.
const patience = 150 * time.Second

// lateness has each client wait for operations of each length. Clients take
// turns while operations are short; with long ones, which are waited for
// seconds too long or hardly asked for, they wait at the same time.
func (b *bench) lateness(ctx context.Context) error {
	clients := []client{lroLongPoll, lroPoll, lroLearned, goLongrunning, pyThreads, pyAsyncio, nodeGax}
	n := 400
	all := lengths
	if b.short {
		n, all = 20, []length{{lengths[0].nominal, time.Second}}
	}
	s, err := startService()
	if err != nil {
		return err
	}
	for _, l := range all {
		rows := make([]report.Lateness, len(clients))
		var running sync.WaitGroup
		for i, c := range clients {
			running.Go(func() {
				b.say("lateness: %v operations, %s", l.nominal, c.Name)
				rows[i] = b.waitLate(ctx, s, c, l.nominal, l.spread, n)
			})
			if l.nominal < 10*time.Second {
				running.Wait()
			}
		}
		running.Wait()
		b.report.Lateness = append(b.report.Lateness, rows...)
	}
	return s.stop()
}

func (b *bench) waitLate(ctx context.Context, s *service, c client, nominal, spread time.Duration, n int) report.Lateness {
	row := report.Lateness{Client: c.Name, Nominal: nominal.Seconds()}
	spec := scripted.Spec{Label: fmt.Sprintf("%s.%d", c.label, nominal.Milliseconds()), Nominal: nominal, Waits: c.waits}
	ends, err := b.wait(ctx, s.address, c, spec, n, spread, 0, nominal*2+spread+patience)
	if err != nil {
		row.Note = err.Error()
	}
	var late []float64
	for _, e := range ends {
		if e.outcome != right {
			row.Failed++
			continue
		}
		late = append(late, e.late.Seconds())
	}
	row.Failed += n - len(ends)
	row.Late = report.NewSample(late)
	counts, err := s.counts(spec.Label)
	if err != nil {
		row.Note = err.Error()
	}
	row.Calls = float64(counts.Polls()) / float64(n)
	return row
}

type outcome int

const (
	right  outcome = iota // what the operation ended with
	gaveUp                // an error that is the client's
	wrong                 // what the operation did not end with
)

// end is what a client said of an operation.
type end struct {
	outcome outcome
	late    time.Duration
	err     string // when it gave up or is wrong
}

// wait has a client start n operations and wait for them, and returns what it
// said of each until it ended or limit was over. A deadline of 0 is none.
func (b *bench) wait(ctx context.Context, address string, c client, spec scripted.Spec, n int, spread, deadline, limit time.Duration) ([]end, error) {
	p, err := b.startWait(ctx, address, c, spec, n, spread, deadline, limit)
	if err != nil {
		return nil, err
	}
	return p.ends(nil)
}

func (b *bench) startWait(ctx context.Context, address string, c client, spec scripted.Spec, n int, spread, deadline, limit time.Duration) (*peer, error) {
	if why := b.programs.missing(c.program); why != "" {
		return nil, errors.New(why)
	}
	return run(ctx, b.programs.command(c, "-target", address, "-mode", "wait", "-n", fmt.Sprint(n), "-spec", spec.String(),
		"-spread", fmt.Sprint(spread.Seconds()), "-deadline", fmt.Sprint(deadline.Seconds())), limit)
}

// ends reads what a peer says until it ends. ready is called when it has
// started all operations; nil is nothing.
func (p *peer) ends(ready func()) ([]end, error) {
	var all []end
	var broken error
	for l := range p.lines {
		if l.Ready > 0 {
			if ready != nil {
				ready()
			}
			continue
		}
		e, err := judge(l)
		if err != nil {
			broken = err
			continue
		}
		all = append(all, e)
	}
	return all, errors.Join(broken, p.wait())
}

// judge compares what a client says of an operation with its name.
func judge(l line) (end, error) {
	op, err := scripted.ParseName(l.Name)
	if err != nil {
		return end{}, fmt.Errorf("peer printed: %w", err)
	}
	e := end{late: time.Duration(l.At) - op.End}
	failed := strings.Contains(l.Error, scripted.Failure(l.Name))
	switch {
	case e.late < 0 && l.Error == "":
		e.outcome, e.err = wrong, "returned before the end"
	case l.Error == "" && !op.Fails && l.Response == l.Name:
	case failed && op.Fails && e.late >= 0:
	case l.Error != "" && !failed:
		e.outcome, e.err = gaveUp, strings.ReplaceAll(l.Error, l.Name, "NAME")
	default:
		e.outcome, e.err = wrong, fmt.Sprintf("response %q, error %q", l.Response, l.Error)
	}
	return e, nil
}
