package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/computeop"
	"github.com/go-lro/lro/lroext"
	"github.com/go-lro/lro/lrohttp"
)

// LROWays are the ways in which package lro runs scenarios.
var LROWays = []string{"lro/grpc", "lro/http", "lroext/http"}

// RunLRO runs a scenario with package lro. ctx ends a run that is stuck, with
// an error.
func RunLRO(ctx context.Context, s *Scenario, way string) (Record, error) {
	served, err := Serve(s)
	if err != nil {
		return nil, err
	}
	defer served.Close()
	client, closeClient, err := newClient(s, way, served)
	if err != nil {
		return nil, err
	}
	defer closeClient()
	f, err := newFuture(s, client)
	if errors.Is(err, errNoSuchType) {
		return nil, err
	}
	if err != nil {
		return normal(Record{"open": failure(err)})
	}
	c := caller{scenario: s, client: client, future: f, callbacks: map[string]*callback{}}
	defer c.close()
	var steps []any
	for i, step := range s.Steps {
		begin := time.Now()
		out, err := c.do(ctx, step)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("run scenario %q: step %d, %s: %w", s.Name, i, step.Do, err)
		}
		out["elapsed"] = time.Since(begin).Seconds()
		steps = append(steps, out)
	}
	return normal(Record{"open": outcome{"outcome": "value"}, "steps": steps, "calls": served.Calls()})
}

func newClient(s *Scenario, way string, served *Played) (*lro.Client, func(), error) {
	opts := []lro.ClientOption{lro.WithPolicy(policy(s.Caller.Poll))}
	if given := s.Caller.GRPCMetadata; given != nil {
		md := metadata.MD{}
		for _, pair := range given.Pairs {
			md.Append(pair[0], pair[1])
		}
		opts = append(opts, lro.WithMetadata(md))
	}
	switch way {
	case "lro/grpc":
		conn, err := grpc.NewClient(served.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, nil, fmt.Errorf("dial scenario: %w", err)
		}
		return lro.NewClientConn(conn, opts...), func() { _ = conn.Close() }, nil
	case "lro/http":
		service, err := lrohttp.NewClient(served.URL)
		if err != nil {
			return nil, nil, fmt.Errorf("dial scenario: %w", err)
		}
		return lro.NewClient(service, opts...), func() {}, nil
	case "lroext/http":
		service, err := lroext.NewHTTPService[*computeop.Operation](served.URL+"/v1", nil)
		if err != nil {
			return nil, nil, fmt.Errorf("dial scenario: %w", err)
		}
		return lro.NewClient(service, opts...), func() {}, nil
	}
	return nil, nil, fmt.Errorf("dial scenario: unknown way %q", way)
}

// policy is what a scenario says about polling. Which errors are tolerated is not
// settable here, but for how long is scaled down to the scenario's intervals.
func policy(p Poll) lro.Policy {
	return lro.Policy{
		FirstPoll:     time.Duration(p.Initial),
		MaxInterval:   time.Duration(p.Max),
		Multiplier:    p.Multiplier,
		SoftErrorTime: 500 * time.Millisecond,
	}
}

var errNoSuchType = errors.New("no such pair of types")

// newFuture makes an operation of the scenario's types: those of Go must be
// named when the program is built.
func newFuture(s *Scenario, c *lro.Client) (future, error) {
	op, err := operationOf(s.Operation)
	if err != nil {
		return nil, err
	}
	switch types := s.Caller.Response + " " + s.Caller.Metadata; types {
	case "google.protobuf.StringValue google.protobuf.Struct":
		return wrap(lro.Method[*wrapperspb.StringValue, *structpb.Struct]{}, c, op)
	case "google.protobuf.Empty google.protobuf.Struct":
		return wrap(lro.Method[*emptypb.Empty, *structpb.Struct]{}, c, op)
	case "google.protobuf.StringValue ":
		return wrap(lro.Method[*wrapperspb.StringValue, *anypb.Any]{}, c, op)
	case "lro.compute.v1.Operation lro.compute.v1.Operation":
		return wrap(lro.Method[*computeop.Operation, *computeop.Operation]{}, c, op)
	default:
		return nil, fmt.Errorf("%w: %q", errNoSuchType, types)
	}
}

// outcome is what a step comes to; README.md lists them.
type outcome = map[string]any

func valueOf(v any) outcome {
	if m, ok := v.(proto.Message); ok {
		v = plain(m)
	}
	return outcome{"outcome": "value", "value": v}
}

// failure is the outcome of an error.
func failure(err error) outcome {
	if failed, ok := errors.AsType[*lro.OperationError](err); ok {
		details := []any{}
		for _, d := range failed.GRPCStatus().Proto().GetDetails() {
			details = append(details, detail(d))
		}
		return outcome{
			"outcome": "operation_error", "code": codeName(int32(failed.Code())),
			"message": failed.Message(), "details": details,
		}
	}
	if bad, ok := errors.AsType[*lro.ResultError](err); ok {
		if bad.Response == nil {
			return outcome{"outcome": "no_result"}
		}
		return outcome{"outcome": "unreadable"}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return outcome{"outcome": "timeout"}
	}
	if st, ok := errors.AsType[grpcError](err); ok {
		return outcome{
			"outcome": "call_error", "code": codeName(int32(st.GRPCStatus().Code())),
			"message": st.GRPCStatus().Message(),
		}
	}
	return outcome{"outcome": "crash", "type": fmt.Sprintf("%T", err)}
}

// detail returns what a detail of an error is in JSON; only its type where that
// is not known.
func detail(d *anypb.Any) any {
	if url, _, ok := lrohttp.Untyped(d); ok {
		return outcome{"@type": url}
	}
	if _, err := d.UnmarshalNew(); err != nil {
		return outcome{"@type": d.GetTypeUrl()}
	}
	return plain(d)
}
