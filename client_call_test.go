package lro

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestHint(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	retryInfo := func(d time.Duration) error {
		st, err := status.New(codes.Unavailable, "busy").WithDetails(retryIn(d))
		if err != nil {
			t.Fatal(err)
		}
		return st.Err()
	}
	for _, test := range []struct {
		name            string
		err             error
		header, trailer metadata.MD
		want            time.Duration
	}{
		{"nothing", nil, nil, nil, 0},
		{"RetryInfo", retryInfo(3 * time.Second), nil, nil, 3 * time.Second},
		{"RetryInfo of a century", retryInfo(100 * 365 * 24 * time.Hour), nil, nil, maxHint},
		{"negative RetryInfo", retryInfo(-time.Second), nil, nil, 0},
		{"RetryInfo before header", retryInfo(time.Second), metadata.Pairs("retry-after", "9"), nil, time.Second},
		{"seconds in header", nil, metadata.Pairs("retry-after", "7"), nil, 7 * time.Second},
		{"seconds in trailer", nil, nil, metadata.Pairs("retry-after", "7"), 7 * time.Second},
		{"date", nil, metadata.Pairs("retry-after", now.Add(time.Minute).Format(http.TimeFormat)), nil, time.Minute},
		{"date, by the service's clock", nil, metadata.Pairs("date", now.Add(-time.Hour).Format(http.TimeFormat), "retry-after", now.Add(time.Minute-time.Hour).Format(http.TimeFormat)), nil, time.Minute},
		{"past date", nil, metadata.Pairs("retry-after", now.Add(-time.Minute).Format(http.TimeFormat)), nil, 0},
		{"huge seconds", nil, metadata.Pairs("retry-after", "9223372036854775807"), nil, maxHint},
		{"negative seconds", nil, metadata.Pairs("retry-after", "-5"), nil, 0},
		{"nonsense", nil, metadata.Pairs("retry-after", "soon"), nil, 0},
		{"pushback", nil, nil, metadata.Pairs("grpc-retry-pushback-ms", "250"), 250 * time.Millisecond},
		{"pushback never", nil, nil, metadata.Pairs("grpc-retry-pushback-ms", "-1"), 0},
		{"pushback nonsense", nil, nil, metadata.Pairs("grpc-retry-pushback-ms", "x"), 0},
	} {
		if got := hintOf(test.err, test.header, test.trailer, now); got != test.want {
			t.Errorf("%s: hintOf = %v, want %v", test.name, got, test.want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, seed := range []string{"1", "-1", "Fri, 02 Jan 2026 03:05:05 GMT", "99999999999999999999", "1e9", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, v string) {
		if got := hintOf(nil, metadata.Pairs("retry-after", v), nil, now); got < 0 || got > maxHint {
			t.Errorf("retry-after %q: %v, want within [0, %v]", v, got, maxHint)
		}
	})
}

// recorder keeps the outgoing metadata and deadline of each call.
type recorder struct {
	md       []metadata.MD
	deadline []time.Duration
}

func (r *recorder) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	md, _ := metadata.FromOutgoingContext(ctx)
	r.md = append(r.md, md)
	left := time.Duration(0)
	if d, ok := ctx.Deadline(); ok {
		left = time.Until(d)
	}
	r.deadline = append(r.deadline, left)
	return &longrunningpb.Operation{Name: req.GetName(), Done: len(r.md) > 3}, nil
}

func TestCallMetadata(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		mine := metadata.Pairs("authorization", "token", "x-tag", "a", "x-tag", "b")
		c := NewClient(r, WithMetadata(mine))
		mine.Set("authorization", "scribbled over")
		op, err := Any().Resume(c, "projects/p/operations/a b+c")
		if err != nil {
			t.Fatal(err)
		}
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-waiter", "w")
		if _, err := op.Poll(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := op.Wait(ctx); err == nil {
			t.Fatal("Wait: no error for a done operation without a result")
		}
		// Every poll carries the same, and nothing grows (D2 of api_core).
		for i, md := range r.md {
			for key, want := range map[string][]string{
				"authorization":         {"token"},
				"x-tag":                 {"a", "b"},
				"x-waiter":              {"w"},
				"x-goog-request-params": {"name=" + url.QueryEscape("projects/p/operations/a b+c")},
			} {
				if got := md.Get(key); len(got) != len(want) || got[0] != want[0] {
					t.Errorf("poll %d: %s = %q, want %q", i+1, key, got, want)
				}
			}
			if r.deadline[i] != 0 {
				t.Errorf("poll %d had a deadline in %v, want none: the end of the call tells the service", i+1, r.deadline[i])
			}
		}
		if len(r.md) != 4 {
			t.Errorf("made %d polls, want 4", len(r.md))
		}
		r.md, r.deadline = nil, nil
		hour, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := resume(t, r).Poll(hour); err != nil {
			t.Fatal(err)
		}
		if r.deadline[0] != time.Hour {
			t.Errorf("poll with a deadline in an hour had one in %v", r.deadline[0])
		}
	})
}

// A routing header of the caller's is merged with ours: services read one.
func TestRoutingHeaderIsMerged(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for _, test := range []struct {
		client []ClientOption
		ctx    context.Context
		want   string
	}{
		{nil, ctx, "name=operations%2Ftest"},
		{[]ClientOption{WithMetadata(metadata.Pairs(routingHeader, "region=eu"))}, ctx, "region=eu&name=operations%2Ftest"},
		{nil, metadata.AppendToOutgoingContext(ctx, "X-Goog-Request-Params", "region=eu"), "region=eu&name=operations%2Ftest"},
		{nil, metadata.AppendToOutgoingContext(ctx, routingHeader, "region=eu&name=mine"), "region=eu&name=mine"},
		{[]ClientOption{WithMetadata(metadata.Pairs(routingHeader, "a=1"))}, metadata.AppendToOutgoingContext(ctx, routingHeader, "b=2"), "b=2&a=1&name=operations%2Ftest"},
	} {
		r := &recorder{}
		if _, err := resume(t, r, test.client...).Poll(test.ctx); err != nil {
			t.Fatal(err)
		}
		if got := r.md[0].Get(routingHeader); len(got) != 1 || got[0] != test.want {
			t.Errorf("%s = %q, want %q", routingHeader, got, test.want)
		}
	}
}

// Calls for many operations, more than a client remembers, each carry their own
// name, with metadata of a caller's or without.
func TestRoutingHeaderOfManyOperations(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	client := NewClient(r)
	for i := range 6 * recentNames {
		name := fmt.Sprintf("operations/%d", i%(3*recentNames))
		ctx := t.Context()
		if i%2 == 1 {
			ctx = metadata.AppendToOutgoingContext(ctx, "x-waiter", "w")
		}
		if _, err := client.Get(ctx, name); err != nil {
			t.Fatal(err)
		}
		md := r.md[len(r.md)-1]
		if got, want := md.Get(routingHeader), "name="+url.QueryEscape(name); len(got) != 1 || got[0] != want || len(md.Get("x-waiter")) != i%2 {
			t.Errorf("call for %s: metadata %v, want the header %q", name, md, want)
		}
	}
}

// A call that fails says nothing about the round trip of those that do not.
func TestFailedCallsTeachNoRoundTrip(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		op := resume(t, (&fakeService{get: func(_ context.Context, n int) (*longrunningpb.Operation, error) {
			if n < 3 {
				<-time.After(10 * time.Second)
				return nil, unavailable(n)
			}
			return succeeded("done"), nil
		}}).pollOnly())
		got, err := op.Wait(t.Context())
		wantValue(t, got, err, "done")
		if rtt := time.Duration(op.client.rtt.Load()); rtt >= time.Second {
			t.Errorf("the round trip is %v, want that of the call that was answered", rtt)
		}
	})
}
