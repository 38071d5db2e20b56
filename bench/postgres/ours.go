package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/postgres"
)

// kind does what its request says.
var kind = server.Kind[*wrapperspb.StringValue, *wrapperspb.StringValue, *wrapperspb.StringValue]{Name: "bench"}

// task is what an operation or a job does. The zero value does nothing.
type task struct {
	// Parked waits for the worker to be told to release what is parked.
	Parked bool `json:",omitempty"`
	// Hang has the first attempt run for ever.
	Hang bool `json:",omitempty"`
	// Response is the size of the response in bytes.
	Response int `json:",omitempty"`
}

func (t task) String() string {
	text, err := json.Marshal(t)
	if err != nil {
		panic(err) // it has numbers and booleans
	}
	return string(text)
}

func parseTask(text string) (t task, err error) {
	err = json.Unmarshal([]byte(text), &t)
	return t, err
}

// service is an engine with a server.
type service struct {
	pool *pgxpool.Pool
	eng  *postgres.Engine
	*server.Server
}

// serve opens the engine of a database. handle registers the kind.
func serve(ctx context.Context, url string, conns int, o *postgres.Options, tracer pgx.QueryTracer, c server.Config, handle server.Registration) (*service, error) {
	pool, err := newPool(ctx, url, conns, tracer)
	if err != nil {
		return nil, err
	}
	eng, err := postgres.Open(ctx, pool, o)
	if err != nil {
		pool.Close()
		return nil, err
	}
	c.PageKey = eng.PageKey()
	srv, err := server.New(eng, c, handle)
	if err != nil {
		err = errors.Join(err, eng.Close())
		pool.Close()
		return nil, err
	}
	return &service{pool, eng, srv}, nil
}

func (s *service) close() error {
	err := s.eng.Close()
	s.pool.Close()
	return err
}

// start starts an operation, and returns its name.
func (s *service) start(ctx context.Context, t task) (string, error) {
	op, err := kind.Start(ctx, s.Server, wrapperspb.String(t.String()), nil)
	return op.GetName(), err
}

var errNotDone = errors.New("operation has not ended in time")

// wait waits for the end of an operation.
func (s *service) wait(ctx context.Context, name string) error {
	op, err := s.Operations().WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: name, Timeout: durationpb.New(5 * time.Minute)})
	switch {
	case err != nil:
		return err
	case !op.GetDone():
		return errNotDone
	case op.GetError() != nil:
		return errors.New(op.GetError().GetMessage())
	}
	return nil
}

// handler is the handler of kind. parked is called by tasks that are parked.
func handler(parked func(context.Context)) server.Handler[*wrapperspb.StringValue, *wrapperspb.StringValue, *wrapperspb.StringValue] {
	return func(ctx context.Context, t *server.Task[*wrapperspb.StringValue], req *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
		todo, err := parseTask(req.GetValue())
		if err != nil {
			return nil, err
		}
		if todo.Hang && t.Attempt() == 1 {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		if todo.Parked {
			parked(ctx)
		}
		return wrapperspb.String(strings.Repeat("x", todo.Response)), nil
	}
}
