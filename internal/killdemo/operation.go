package killdemo

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lropb"
)

// simulate is what a start of the kind simulate returns.
var simulate = lro.Method[*lropb.SimulateResponse, *lropb.OperationMetadata]{}

// operation is one of the operations, with what it went through.
type operation struct {
	*lro.Operation[*lropb.SimulateResponse, *lropb.OperationMetadata]
	via *server
	err error // of its end

	mu   sync.Mutex
	runs map[int32]string // worker by attempt
}

// startOperations starts them through both servers in turn.
func (c *Cluster) startOperations(ctx context.Context, o Options) ([]*operation, error) {
	req, err := anypb.New(&lropb.SimulateRequest{Duration: durationpb.New(o.Takes), Steps: 60})
	if err != nil {
		return nil, err
	}
	var clients []*lro.Client
	for _, s := range c.servers {
		clients = append(clients, lro.NewClientConn(s.conn))
	}
	var all []*operation
	for i := range o.Operations {
		via := c.servers[i%len(c.servers)]
		started, err := lropb.NewStarterClient(via.conn).StartOperation(ctx, &lropb.StartOperationRequest{Kind: "simulate", Request: req})
		if err != nil {
			return nil, fmt.Errorf("start operation: %w", err)
		}
		op, err := simulate.Wrap(clients[i%len(clients)], started)
		if err != nil {
			return nil, err
		}
		all = append(all, &operation{Operation: op, via: via, runs: make(map[int32]string)})
	}
	fmt.Printf("%5.1fs  started %d operations of %v each\n", time.Since(c.begin).Seconds(), len(all), o.Takes)
	return all, nil
}

// watch notes who runs the operations, until ctx ends and once more.
func (c *Cluster) watch(ctx context.Context, all []*operation) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for last := false; !last; {
		select {
		case <-ctx.Done():
			last = true
		case <-tick.C:
		}
		holders, err := c.Holders(context.WithoutCancel(ctx))
		if err != nil {
			return err
		}
		for _, op := range all {
			if h, ok := holders[op.Name()]; ok {
				op.mu.Lock()
				op.runs[h.Attempt] = c.workerName(h.PID)
				op.mu.Unlock()
			}
		}
	}
	return nil
}

// await waits for all operations.
func (c *Cluster) await(ctx context.Context, all []*operation) error {
	var waits sync.WaitGroup
	for _, op := range all {
		waits.Go(func() { _, op.err = op.Wait(ctx) })
	}
	waits.Wait()
	return ctx.Err()
}

// print writes the table.
func print(out io.Writer, all []*operation) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "OPERATION\tVIA\tWORKERS\tRESUMED\tSTATE\tTIME")
	again, succeeded := 0, 0
	for _, op := range all {
		m, _ := op.Snapshot().Metadata()
		var runs []string
		for _, attempt := range slices.Sorted(maps.Keys(op.runs)) {
			runs = append(runs, op.runs[attempt])
		}
		resumed := "-"
		if m.GetAttempt() > 1 {
			again++
			resumed = strings.TrimPrefix(m.GetStatusMessage(), "resumed ")
		}
		state := m.GetState().String()
		if op.err == nil {
			succeeded++
		} else {
			state += ": " + op.err.Error()
		}
		_, id, _ := strings.Cut(op.Name(), "operations/")
		fmt.Fprintf(w, "%.10s…\t%s\t%s\t%s\t%s\t%.1fs\n", id, op.via.name, strings.Join(runs, " → "), resumed, state,
			m.GetEndTime().AsTime().Sub(m.GetCreateTime().AsTime()).Seconds())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%d operations, %d succeeded, %d of them ran on a second worker\n", len(all), succeeded, again)
	return err
}
