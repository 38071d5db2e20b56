package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/go-lro/lro/bench/report"
	"github.com/go-lro/lro/bench/scripted"
)

// scenario is something that goes wrong while clients wait.
type scenario struct {
	name  string
	flags []string // of the service
	// act is called when all clients have begun to wait, and returns the
	// service that is there afterwards.
	act func(ctx context.Context, s *service) (*service, error)
}

var scenarios = []scenario{
	{name: "nothing goes wrong"},
	{name: "1 % of polls reset the connection", flags: []string{"-cut", "0.01"}},
	{name: "5 % of polls reset the connection", flags: []string{"-cut", "0.05"}},
	{name: "20 % of polls reset the connection", flags: []string{"-cut", "0.2"}},
	{name: "1 % of polls are never answered", flags: []string{"-lose", "0.01"}},
	{name: "5 % of polls are never answered", flags: []string{"-lose", "0.05"}},
	{name: "20 % of polls are never answered", flags: []string{"-lose", "0.2"}},
	{name: "5 % of polls get INTERNAL", flags: []string{"-internal", "0.05"}},
	{name: "the server is killed and back after 2 s", act: restart},
	{name: "UNAVAILABLE for 30 s", flags: []string{"-outage", "30s"}},
	{name: "the server hangs for 30 s", act: freeze},
}

func restart(ctx context.Context, s *service) (*service, error) {
	s.kill()
	if err := pause(ctx, 2*time.Second); err != nil {
		return nil, err
	}
	return startService("-listen", s.address)
}

func freeze(ctx context.Context, s *service) (*service, error) {
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return s, fmt.Errorf("stop service: %w", err)
	}
	err := pause(ctx, 30*time.Second)
	return s, errors.Join(err, s.cmd.Process.Signal(syscall.SIGCONT))
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// abreast is how many scenarios are played at the same time; what they measure
// is not time.
const abreast = 4

// trial is the size of a scenario.
type trial struct {
	n                         int
	nominal, deadline, before time.Duration // before is the pause between all being started and act
	limit                     time.Duration
}

func (b *bench) survival(ctx context.Context) error {
	clients := []client{lroLongPoll, lroPoll, goLongrunning, goDeadline, pyThreads, nodeGax}
	all, t := scenarios, trial{n: 100, nominal: 15 * time.Second, deadline: 90 * time.Second, before: 3 * time.Second, limit: 150 * time.Second}
	if b.short {
		all, t = []scenario{scenarios[0], scenarios[3], scenarios[8]}, trial{n: 8, nominal: 6 * time.Second, deadline: 35 * time.Second, limit: 45 * time.Second}
	}
	rows, errs := make([][]report.Survival, len(all)), make([]error, len(all))
	slots := make(chan struct{}, abreast)
	var running sync.WaitGroup
	for i, sc := range all {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			b.say("survival: %s", sc.name)
			rows[i], errs[i] = b.survive(ctx, sc, clients, t)
		})
	}
	running.Wait()
	for _, r := range rows {
		b.report.Survival = append(b.report.Survival, r...)
	}
	return errors.Join(errs...)
}

// survive has all clients wait through one scenario.
func (b *bench) survive(ctx context.Context, sc scenario, clients []client, t trial) ([]report.Survival, error) {
	s, err := startService(sc.flags...)
	if err != nil {
		return nil, err
	}
	address := s.address
	rows := make([]report.Survival, len(clients))
	var ready, running sync.WaitGroup
	ready.Add(len(clients))
	for i, c := range clients {
		running.Go(func() {
			begun := sync.OnceFunc(ready.Done)
			defer begun()
			rows[i] = b.waitThrough(ctx, address, c, t, begun)
			rows[i].Scenario = sc.name
		})
	}
	if sc.act != nil {
		ready.Wait()
		if err = pause(ctx, t.before); err == nil {
			var after *service
			after, err = sc.act(ctx, s)
			s = after
		}
	}
	running.Wait()
	if s != nil {
		err = errors.Join(err, s.stop())
	}
	return rows, err
}

func (b *bench) waitThrough(ctx context.Context, address string, c client, t trial, ready func()) report.Survival {
	row := report.Survival{Client: c.Name, Waits: t.n}
	var deadline time.Duration
	if c == goDeadline {
		deadline = t.deadline
	}
	spec := scripted.Spec{Label: c.label, Nominal: t.nominal, Failing: 0.25, Waits: c.waits}
	p, err := b.startWait(ctx, address, c, spec, t.n, time.Second, deadline, t.limit)
	if err != nil {
		row.Note = err.Error()
		return row
	}
	ends, err := p.ends(ready)
	if err != nil && !errors.Is(err, errTooSlow) {
		row.Note = err.Error()
	}
	var late []float64
	said := make(map[string]int)
	for _, e := range ends {
		switch e.outcome {
		case right:
			row.Right++
			late = append(late, e.late.Seconds())
		case gaveUp:
			row.GaveUp++
		case wrong:
			row.Wrong++
		}
		if e.err == "" {
			continue
		}
		if said[e.err]++; row.Error == "" || said[e.err] > said[row.Error] {
			row.Error = e.err
		}
	}
	row.Hung = t.n - len(ends)
	row.Late = report.NewSample(late)
	return row
}
