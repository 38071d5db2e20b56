package main

import (
	"cmp"
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

// handlerOf is a handler of kind.
type handlerOf = server.Handler[*wrapperspb.StringValue, *wrapperspb.StringValue, *wrapperspb.StringValue]

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
	url  string
	pool *pgxpool.Pool
	eng  *postgres.Engine
	*server.Server
}

// setup configures a service.
type setup struct {
	conns  int // zero for callers
	engine postgres.Options
	tracer pgx.QueryTracer // may be nil
	server server.Config
	handle handlerOf // nil for a service that runs none
}

// serve makes a database for operations and opens its engine.
func (b *bench) serve(ctx context.Context, database string, o setup) (*service, error) {
	url, err := b.ours(ctx, database)
	if err != nil {
		return nil, err
	}
	return serve(ctx, url, o)
}

// serve opens the engine of a database.
func serve(ctx context.Context, url string, o setup) (*service, error) {
	pool, err := newPool(ctx, url, cmp.Or(o.conns, callers), o.tracer)
	if err != nil {
		return nil, err
	}
	eng, err := postgres.Open(ctx, pool, &o.engine)
	if err != nil {
		pool.Close()
		return nil, err
	}
	o.server.PageKey = eng.PageKey()
	registration := kind.Declare()
	if o.handle != nil {
		registration = kind.Handle(o.handle)
	}
	srv, err := server.New(eng, o.server, registration)
	if err != nil {
		err = errors.Join(err, eng.Close())
		pool.Close()
		return nil, err
	}
	return &service{url, pool, eng, srv}, nil
}

// closing is close for defer: what fails is added to err.
func (s *service) closing(err *error) { *err = errors.Join(*err, s.close()) }

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
func handler(parked func(context.Context)) handlerOf {
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
