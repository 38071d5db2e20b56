package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-lro/lro/bench/report"
	"github.com/go-lro/lro/bench/scripted"
)

// pollCost has each client ask for the state of an operation, one call after
// another, in turns with the same call of the bare stub in its language.
func (b *bench) pollCost(ctx context.Context) error {
	clients := []client{lroPoll, goLongrunning, pyThreads, nodeGax}
	rounds := 31
	if b.short {
		rounds = 3
	}
	s, err := startService()
	if err != nil {
		return err
	}
	for _, c := range clients {
		b.say("poll: %s", c.Name)
		row := report.Poll{Client: c.Name}
		took, err := b.askOnce(ctx, s, c, rounds)
		if err != nil {
			row.Note = err.Error()
		}
		row.Stub, row.Poll, row.Control = micros(took.Stub), micros(took.Poll), micros(took.Control)
		row.ClientAllocs, row.Allocs = took.Client, took.Both
		b.report.Polls = append(b.report.Polls, row)
	}
	return s.stop()
}

func (b *bench) askOnce(ctx context.Context, s *service, c client, rounds int) (took line, err error) {
	if why := b.programs.missing(c.program); why != "" {
		return took, errors.New(why)
	}
	names := scripted.Operation{Label: c.label + ".poll", End: scripted.Never, Waits: c.waits}.Template()
	p, err := run(ctx, b.programs.command(c, "-target", s.address, "-mode", "poll", "-n", fmt.Sprint(rounds), "-names", names), 2*time.Minute)
	if err != nil {
		return took, err
	}
	for l := range p.lines {
		took = l
	}
	return took, p.wait()
}

// micros sums up nanoseconds in microseconds.
func micros(ns []float64) report.Sample {
	us := make([]float64, len(ns))
	for i, v := range ns {
		us[i] = v / 1e3
	}
	return report.NewSample(us)
}
