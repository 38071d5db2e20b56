package lro

import (
	"context"
	"errors"
	"hash/maphash"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// answer is what one call for the state brought.
type answer struct {
	view view
	err  error
	took time.Duration
	hint time.Duration // when the service asked to be called again; 0 for no word
}

// errNoAnswer stands for a service that returned neither an operation nor an
// error.
var errNoAnswer = errors.New("service returned no operation and no error")

// poll is what one call for the state needs, in one allocation.
type poll struct {
	hints
	routed
	limited
	get  longrunningpb.GetOperationRequest
	wait longrunningpb.WaitOperationRequest
	opts [4]grpc.CallOption

	nameless longrunningpb.Operation // the answer, as a view keeps it
}

// get calls GetOperation for a caller with this ctx, which the call must not
// outlast, nor the time limit.
func (c *Client) get(ctx context.Context, name string, limit time.Duration) answer {
	p := &poll{}
	p.values = ctx
	p.deadline, _ = ctx.Deadline()
	if ctx.Done() != nil {
		defer context.AfterFunc(ctx, func() { p.end(ctx.Err()) })()
	}
	if err := ctx.Err(); err != nil {
		p.end(err)
	}
	limits := c.limitsHere()
	limits.add(&p.limited, limit)
	defer p.end(context.Canceled)
	defer limits.drop(&p.limited)
	return c.callGet(&p.limited, p, name)
}

// callGet calls GetOperation.
func (c *Client) callGet(ctx context.Context, p *poll, name string) answer {
	p.get.Name = name
	begin := time.Now()
	op, err := c.service.GetOperation(p.route(ctx, c, name), &p.get, p.options(p.opts[:0], c.config.callOptions)...)
	return c.answer(name, p, begin, op, err)
}

// callWait calls WaitOperation, with a timeout that is shorter than the time limit
// of the call.
func (c *Client) callWait(ctx context.Context, p *poll, name string, timeout time.Duration) answer {
	p.wait.Name, p.wait.Timeout = name, durationpb.New(timeout)
	begin := time.Now()
	op, err := c.waiter.WaitOperation(p.route(ctx, c, name), &p.wait, p.options(p.opts[:0], c.config.callOptions)...)
	return c.answer(name, p, begin, op, err)
}

// answer makes an answer of what a call begun at begin returned.
func (c *Client) answer(name string, p *poll, begin time.Time, op *longrunningpb.Operation, err error) answer {
	end := time.Now()
	a := answer{took: end.Sub(begin), err: err}
	if err == nil && op == nil {
		a.err = errNoAnswer
	}
	if a.err == nil {
		a.view, a.err = viewOf(name, op, &p.nameless, end)
	}
	a.hint = hintOf(a.err, p.header, p.trailer, end)
	a.err = p.judge(a.err)
	c.learnRate(a.err)
	return a
}

// learnRate takes in what a call says about the service's quota.
func (c *Client) learnRate(err error) {
	refused := err != nil && codeOf(err) == codes.ResourceExhausted && !permanent(err)
	if err == nil || refused {
		c.rate.learn(clock(), refused)
	}
}

// observeCall makes a call and notifies the observer.
func (c *core) observeCall(k *call) (observation, answer) {
	start := PollStart{Operation: c.name, Method: c.method, Number: k.number, LongPoll: k.timeout > 0, Timeout: k.timeout}
	obsv := c.client.config.observer
	ctx := obsv.pollStart(&k.limited, start)
	obs := observation{call: calledGet}
	var a answer
	if start.LongPoll {
		obs.call, obs.asked = calledWait, k.timeout
		a = c.client.callWait(ctx, &k.poll, c.name, k.timeout)
	} else {
		a = c.client.callGet(ctx, &k.poll, c.name)
		if a.err == nil {
			c.client.learnRTT(a.took)
		}
	}
	obs.err, obs.took, obs.hint = a.err, a.took, a.hint
	if a.err == nil && a.view.done {
		obs.done, obs.decodes = true, c.self.decodes(a.view)
	}
	if obsv != nil && obsv.PollEnd != nil {
		e := PollEnd{PollStart: start, Snapshot: Raw{c.name, a.view}, Err: a.err, Elapsed: a.took}
		if a.err == nil {
			e.MetadataErr = c.self.metadataFault(a.view)
		}
		obsv.PollEnd(ctx, e)
	}
	return obs, a
}

// routed is a context with the outgoing metadata of a client's call.
type routed struct {
	context.Context
	own *outgoing
}

// outgoing is the outgoing metadata of calls for one operation.
type outgoing struct {
	name string
	context.Context
}

// recentNames is for how many operations a client keeps the outgoing metadata.
const recentNames = 16

// route makes r the context of a call for an operation: ctx with the client's
// metadata and the routing header (AIP-4222).
func (r *routed) route(ctx context.Context, c *Client, name string) context.Context {
	r.Context = ctx
	if md, ok := metadata.FromOutgoingContext(ctx); ok {
		r.own = &outgoing{name, c.outgoing(name, md)}
		return r
	}
	recent := &c.headers[maphash.String(c.seed, name)%recentNames]
	if r.own = recent.Load(); r.own == nil || r.own.name != name {
		r.own = &outgoing{name, c.outgoing(name, metadata.MD{})}
		recent.Store(r.own)
	}
	return r
}

func (r *routed) Value(key any) any {
	if x := r.own.Value(key); x != nil {
		return x
	}
	return r.Context.Value(key)
}

// AfterFunc is that of the context.
func (r *routed) AfterFunc(f func()) (stop func() bool) {
	if l, ok := r.Context.(*limited); ok {
		return l.AfterFunc(f)
	}
	return context.AfterFunc(r.Context, f)
}

// outgoing returns a context with nothing but outgoing metadata: md, a copy of
// what a caller's context has, the client's, and the routing header.
// A caller's own routing header and ours become one; ours gives way where the
// caller's has the same parameter.
func (c *Client) outgoing(name string, md metadata.MD) context.Context {
	for key, values := range c.config.metadata {
		md.Append(key, values...)
	}
	params := strings.Join(md[routingHeader], "&")
	switch {
	case params == "":
		params = routing(name)
	case !strings.HasPrefix(params, "name=") && !strings.Contains(params, "&name="):
		params += "&" + routing(name)
	}
	md.Set(routingHeader, params)
	return metadata.NewOutgoingContext(context.Background(), md)
}

// routingHeader tells a service by what to route a call, as the parameters of a
// query (AIP-4222).
const routingHeader = "x-goog-request-params"

// routing returns the routing header of a call for an operation.
func routing(name string) string {
	const param = "name="
	var b strings.Builder
	b.Grow(len(param) + len(name) + 2*strings.Count(name, "/"))
	b.WriteString(param)
	for i := range len(name) {
		switch c := name[i]; {
		case c == '/':
			b.WriteString("%2F")
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~':
			b.WriteByte(c)
		default:
			return param + url.QueryEscape(name)
		}
	}
	return b.String()
}

// hintOf returns when a service asked to be called again: RetryInfo in the
// error's details, the gRPC retry pushback (gRFC A6), or retry-after as a
// number of seconds or a date (RFC 9110). 0 means no word.
func hintOf(err error, header, trailer metadata.MD, now time.Time) time.Duration {
	if err == nil && len(header) == 0 && len(trailer) == 0 {
		return 0
	}
	if err != nil {
		for _, d := range status.Convert(err).Details() {
			if info, ok := d.(*errdetails.RetryInfo); ok && info.GetRetryDelay().CheckValid() == nil {
				return clampHint(info.GetRetryDelay().AsDuration())
			}
		}
	}
	for _, md := range []metadata.MD{trailer, header} {
		if v := md.Get("grpc-retry-pushback-ms"); len(v) > 0 {
			if ms, err := strconv.ParseInt(v[0], 10, 32); err == nil {
				return clampHint(time.Duration(ms) * time.Millisecond)
			}
		}
		if v := md.Get("retry-after"); len(v) > 0 {
			return clampHint(parseRetryAfter(v[0], dateOf(md, now)))
		}
	}
	return 0
}

func clampHint(d time.Duration) time.Duration { return min(max(d, 0), maxHint) }

// dateOf returns the time at the service when it answered, by the Date header
// where there is one: its clock and ours may differ. now is ours.
func dateOf(md metadata.MD, now time.Time) time.Time {
	if v := md.Get("date"); len(v) > 0 {
		if t, err := http.ParseTime(v[0]); err == nil {
			return t
		}
	}
	return now
}

// parseRetryAfter reads the value of a Retry-After header; 0 when it is none.
func parseRetryAfter(v string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(v, 10, 64); err == nil {
		return time.Duration(min(max(seconds, 0), int64(maxHint/time.Second))) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return t.Sub(now)
	}
	return 0
}
