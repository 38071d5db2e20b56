package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/internal/cutproxy"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/postgres"
	"github.com/go-lro/lro/server/engine/sqlite"
)

type text = *wrapperspb.StringValue

// kind has as many attempts as jobs of River have by default.
var kind = server.Kind[text, text, *lropb.OperationMetadata]{
	Name: "job", AttemptTimeout: attemptLimit,
	Retry: server.Retry{MaxAttempts: 25, If: func(error) bool { return true }},
}

func requestOf(j job) (text, error) {
	data, err := json.Marshal(j)
	return wrapperspb.String(string(data)), err
}

// handle runs operations of kind. inTx may be nil.
func (w *worker) handle(inTx func(context.Context, func(context.Context, pgx.Tx) error) error) server.Registration {
	return kind.Handle(func(ctx context.Context, t *server.Task[*lropb.OperationMetadata], req text) (text, error) {
		var j job
		if err := json.Unmarshal([]byte(req.GetValue()), &j); err != nil {
			return nil, err
		}
		run, err := w.perform(ctx, t.Name(), t.Attempt() == 1, j, ourAttempt{t, inTx})
		return wrapperspb.String(run), err
	})
}

type ourAttempt struct {
	task *server.Task[*lropb.OperationMetadata]
	inTx func(context.Context, func(context.Context, pgx.Tx) error) error
}

func (a ourAttempt) steps(ctx context.Context, n int, do func(context.Context, int, func(context.Context) error) error) error {
	done := 0
	if c := a.task.Checkpoint(); c != nil {
		var err error
		if done, err = strconv.Atoi(string(c)); err != nil {
			return err
		}
	}
	for step := done + 1; step <= n; step++ {
		err := do(ctx, step, func(ctx context.Context) error { return a.task.Save(ctx, []byte(strconv.Itoa(step))) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (a ourAttempt) finish(ctx context.Context, run string, write func(context.Context, pgx.Tx) error) (bool, error) {
	if write == nil || a.inTx == nil {
		return false, nil
	}
	return true, a.inTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := write(ctx, tx); err != nil {
			return err
		}
		return kind.Complete(ctx, a.task, wrapperspb.String(run))
	})
}

// stateOf is what look returns for an operation.
func stateOf(op *longrunningpb.Operation, err error) (state, run string, _ error) {
	switch {
	case status.Code(err) == codes.NotFound:
		return unknown, "", nil
	case err != nil:
		return "", "", err
	case !op.GetDone():
		return pending, "", nil
	case op.GetError().GetCode() == int32(codes.Canceled):
		return canceled, "", nil
	case op.GetError() != nil:
		return failed, op.GetError().GetMessage(), nil
	}
	var result wrapperspb.StringValue
	if err := op.GetResponse().UnmarshalTo(&result); err != nil {
		return "", "", err
	}
	return succeeded, result.GetValue(), nil
}

// ours is the engine on PostgreSQL, whose starter is in the program, as River's.
type ours struct {
	*database
	engine *postgres.Engine
	server *server.Server
}

func openOurs(ctx context.Context, dir string, s setting) (_ system, err error) {
	o := &ours{}
	if o.database, err = openDatabase(ctx, dir); err != nil {
		return nil, err
	}
	if _, _, err = postgres.Migrate(ctx, o.pool, ""); err == nil {
		o.engine, err = postgres.Open(ctx, o.pool, &postgres.Options{Lease: s.Lease})
	}
	if err == nil {
		o.server, err = server.New(o.engine, server.Config{}, kind.Declare())
	}
	if err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

func (o *ours) start(ctx context.Context, j job) (string, error) {
	req, err := requestOf(j)
	if err != nil {
		return "", err
	}
	op, err := kind.Start(ctx, o.server, req, &server.StartOptions{RequestID: j.Key})
	return op.GetName(), err
}

func (o *ours) cancel(ctx context.Context, _, id string) error {
	_, err := o.server.Operations().CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: id})
	return err
}

func (o *ours) look(ctx context.Context, _, id string) (state, run string, err error) {
	return stateOf(o.server.Operations().GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: id}))
}

func (o *ours) close() (err error) {
	if o.engine != nil {
		err = o.engine.Close()
	}
	return errors.Join(err, o.database.close())
}

func workOurs(ctx context.Context, w *worker, address string, ready func()) error {
	pool, err := pgxpool.New(ctx, address)
	if err != nil {
		return err
	}
	defer pool.Close()
	e, err := postgres.Open(ctx, pool, &postgres.Options{Lease: w.setting.Lease})
	if err != nil {
		return err
	}
	s, err := server.New(e, server.Config{Drain: -1}, w.handle(e.InTx))
	if err != nil {
		return errors.Join(err, e.Close())
	}
	ready()
	return errors.Join(s.Work(ctx), e.Close())
}

// file is the engine on SQLite, in the one process that has the file. Its starter
// calls it by gRPC.
type file struct {
	path  string // the file, and behind a space the address where its process listens
	proxy *cutproxy.Proxy
	conn  *grpc.ClientConn
}

func openFile(_ context.Context, dir string, _ setting) (system, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	listen := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	f := &file{path: listen + " " + filepath.Join(dir, "jobs.db")}
	if f.proxy, err = cutproxy.Start(listen); err != nil {
		return nil, err
	}
	f.conn, err = grpc.NewClient(f.proxy.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: time.Second}))
	if err != nil {
		f.proxy.Close()
		return nil, err
	}
	return f, nil
}

func (f *file) address() string { return f.path }

func (f *file) start(ctx context.Context, j job) (string, error) {
	req, err := requestOf(j)
	if err != nil {
		return "", err
	}
	packed, err := anypb.New(req)
	if err != nil {
		return "", err
	}
	op, err := lropb.NewStarterClient(f.conn).StartOperation(ctx, &lropb.StartOperationRequest{Kind: kind.Name, Request: packed, RequestId: j.Key})
	return op.GetName(), err
}

func (f *file) cancel(ctx context.Context, _, id string) error {
	_, err := longrunningpb.NewOperationsClient(f.conn).CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: id})
	return err
}

func (f *file) look(ctx context.Context, _, id string) (state, run string, err error) {
	return stateOf(longrunningpb.NewOperationsClient(f.conn).GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: id}))
}

func (f *file) cut() { f.proxy.Restore() }

func (f *file) restart(context.Context) error { return errOneProcess }

var errOneProcess = errors.New("the store is in the process of the worker")

func (f *file) effects(context.Context) ([]event, error) { return nil, nil }

func (f *file) version(context.Context) string { return "SQLite of lro" }

func (f *file) close() error {
	err := f.conn.Close()
	f.proxy.Close()
	return err
}

func workFile(ctx context.Context, w *worker, address string, ready func()) error {
	listen, path, _ := strings.Cut(address, " ")
	e, err := sqlite.Open(ctx, path, nil)
	if err != nil {
		return err
	}
	s, err := server.New(e, server.Config{Drain: -1}, w.handle(nil))
	if err != nil {
		return errors.Join(err, e.Close())
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return errors.Join(err, e.Close())
	}
	g := grpc.NewServer()
	s.Register(g)
	s.RegisterStarter(g)
	ready()
	return errors.Join(s.Serve(ctx, g, l), e.Close())
}
