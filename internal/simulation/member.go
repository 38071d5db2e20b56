package simulation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"github.com/go-lro/lro/internal/pause"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
)

// memberEnv has the member of a process, as JSON.
const memberEnv = "LRO_SIMULATION_MEMBER"

// member is one of the processes of a program.
type member struct {
	Store   string // what its engine is opened with
	Book    string // the socket of the history
	Begin   time.Time
	Number  int
	Missing string // the kind without a handler
	Pace    pace
	Seed    uint64
}

// serving begins the line that says where a member serves.
const serving = "serves at "

// Member serves until SIGTERM when this process was started as a part of a
// program, and reports whether it was. The function opens an engine with what
// [Cluster].Config has returned.
//
//	func TestMain(m *testing.M) {
//		if is, err := simulation.Member(open); is {
func Member(open func(ctx context.Context, config string) (engine.Engine, error)) (bool, error) {
	text := os.Getenv(memberEnv)
	if text == "" {
		return false, nil
	}
	var m member
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return true, err
	}
	return true, m.serve(open)
}

func (m *member) serve(open func(context.Context, string) (engine.Engine, error)) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	e, err := m.open(ctx, open)
	if err != nil {
		return err
	}
	log, err := openPen(m.Book, m.Begin)
	if err != nil {
		return errors.Join(err, e.Close())
	}
	tx, _ := e.(Transactor)
	a := &actor{
		recorder: log, number: m.Number, pace: m.Pace, seed: m.Seed, tx: tx,
		alive: func() bool { return true },
		sleep: func(ctx context.Context, d time.Duration) { _ = pause.For(ctx, d) },
	}
	srv, err := server.New(e, server.Config{
		PageKey: pageKey, Drain: m.Pace.of(drainTime), Grace: m.Pace.of(graceTime),
	}, a.registrations(m.Missing)...)
	if err != nil {
		return errors.Join(err, e.Close())
	}
	g := grpc.NewServer()
	srv.Register(g)
	srv.RegisterStarter(g)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, e.Close())
	}
	fmt.Println(serving + l.Addr().String())
	return errors.Join(srv.Serve(ctx, g, l), e.Close())
}

// open tries until the store is there.
func (m *member) open(ctx context.Context, open func(context.Context, string) (engine.Engine, error)) (e engine.Engine, err error) {
	for ctx.Err() == nil {
		if e, err = open(ctx, m.Store); err == nil {
			return e, nil
		}
		fmt.Fprintln(os.Stderr, "open store:", err)
		_ = pause.For(ctx, 100*time.Millisecond)
	}
	return nil, err
}
