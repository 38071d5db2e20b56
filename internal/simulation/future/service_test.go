package future

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lropb"
)

// rpc is a call that a client made.
type rpc struct {
	client, op int
	what       call
	by         *visit // whose values its ctx had
	poll       int    // PollStart's number; 0 without an observer, and for a call that is no part of waiting
	from, to   moment
	limit      time.Duration // of its ctx, by its deadline; 0 for none
	timeout    time.Duration // that WaitOperation was asked for
	gaveUp     moment        // when its ctx ended, if that was before it did
	id         string        // request ID
	created    bool          // a start that was done
	answer
}

// answer is what it brought.
type answer struct {
	done    bool
	state   string // what the operation is like: its outcome when done
	wire    string // all of it
	failed  bool
	code    codes.Code
	final   bool // it says that it is permanent
	hint    time.Duration
	faulted string
}

func (c *rpc) String() string {
	text := fmt.Sprintf("%v of operation %d by client %d for %v, %v to %v: ", c.what, c.op, c.client, c.by, c.from.at, c.to.at)
	switch {
	case !c.to.known():
		text += "no answer"
	case c.failed:
		text += c.code.String()
	case c.done:
		text += "done " + c.state
	default:
		text += "running"
	}
	if c.timeout > 0 {
		text += fmt.Sprintf(", asked for %v", c.timeout)
	}
	if c.hint > 0 {
		text += fmt.Sprintf(", hint %v", c.hint)
	}
	if c.gaveUp.known() {
		text += fmt.Sprintf(", given up at %v", c.gaveUp.at)
	}
	if c.faulted != "" {
		text += " [" + c.faulted + "]"
	}
	return text
}

// op is an operation at the service.
type op struct {
	w    *world
	i    int
	spec opSpec

	deleted   bool
	cancelled time.Duration // when it ends because of a cancel; 0 for no
	changed   chan struct{} // is closed then
}

func newOp(w *world, i int) *op {
	return &op{w: w, i: i, spec: w.p.ops[i], changed: make(chan struct{})}
}

// ends returns when it ends, 0 for never, and how.
func (o *op) ends() (at time.Duration, cancelled bool) {
	o.w.mu.Lock()
	defer o.w.mu.Unlock()
	if o.spec.length > 0 {
		at = o.spec.start + o.spec.length
	}
	if o.cancelled > 0 && (at == 0 || o.cancelled < at) {
		return o.cancelled, true
	}
	return at, false
}

func (o *op) doneAt(t time.Duration) bool {
	at, _ := o.ends()
	return at > 0 && at <= t
}

func pack(m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		panic(err)
	}
	return a
}

// state is the operation as it is at a time.
func (o *op) state(t time.Duration) *longrunningpb.Operation {
	msg := &longrunningpb.Operation{Name: nameOf(o.i)}
	if o.spec.metadata >= 0 {
		m := &lropb.OperationMetadata{CreateTime: timestamppb.New(o.w.begin.Add(o.spec.start))}
		if o.spec.metadata > 0 {
			m.StatusMessage = strconv.Itoa(int(t / o.spec.metadata))
		}
		if o.spec.percent && o.spec.length > 0 {
			m.ProgressPercent = int32(min(max(0, 100*(t-o.spec.start)/o.spec.length), 99))
		}
		msg.Metadata = pack(m)
	}
	if !o.doneAt(t) {
		return msg
	}
	if _, cancelled := o.ends(); cancelled {
		return o.end(msg, codes.Canceled, "cancelled")
	}
	return o.finish(msg, o.spec.outcome, "")
}

func (o *op) end(msg *longrunningpb.Operation, code codes.Code, text string) *longrunningpb.Operation {
	msg.Done = true
	msg.Result = &longrunningpb.Operation_Error{Error: &spb.Status{Code: int32(code), Message: text}}
	return msg
}

// finish makes msg done, with an outcome that variant tells from others.
func (o *op) finish(msg *longrunningpb.Operation, how outcome, variant string) *longrunningpb.Operation {
	msg.Done = true
	switch how {
	case succeeds:
		msg.Result = &longrunningpb.Operation_Response{Response: pack(wrapperspb.String(variant + "result"))}
	case fails:
		return o.end(msg, codes.DataLoss, variant+"failed")
	case failsWithOK:
		return o.end(msg, codes.OK, variant+"failed with OK")
	case hasOtherType:
		msg.Result = &longrunningpb.Operation_Response{Response: pack(wrapperspb.Int64(int64(len(variant))))}
	}
	return msg
}

// described is the outcome of a message, in the words of the callers.
func described(msg *longrunningpb.Operation) string {
	if !msg.GetDone() {
		return "running"
	}
	if st := msg.GetError(); st != nil {
		code := codes.Code(st.GetCode())
		if code == codes.OK {
			code = codes.Unknown
		}
		return fmt.Sprintf("failed %v %s", code, st.GetMessage())
	}
	src := msg.GetResponse()
	if src == nil {
		return "no result"
	}
	v := &wrapperspb.StringValue{}
	if src.UnmarshalTo(v) != nil {
		return "cannot be read: " + src.GetTypeUrl() + " " + strconv.Itoa(len(src.GetValue()))
	}
	return "succeeded " + v.GetValue()
}

// service is one as a client sees it.
type service struct {
	w      *world
	client int
	met    map[int]int // how often each fault was met, by step
}

type (
	cancelOnly struct{ *service }
	getOnly    struct{ s *service }
	everything struct{ cancelOnly }
)

// offered is the service with what it offers.
func (s *service) offered() lro.Service {
	switch s.w.p.clients[s.client].offers {
	case offersNothing:
		return getOnly{s}
	case offersCancel:
		return cancelOnly{s}
	}
	return everything{cancelOnly{s}}
}

func (g getOnly) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return g.s.GetOperation(ctx, req, opts...)
}

func (s *service) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	c := s.begin(ctx, callGet, req.GetName(), 0)
	return s.answer(ctx, c, opts)
}

func (s everything) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	c := s.begin(ctx, callWait, req.GetName(), req.GetTimeout().AsDuration())
	return s.answer(ctx, c, opts)
}

func (s cancelOnly) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	c := s.begin(ctx, callCancel, req.GetName(), 0)
	_, err := s.answer(ctx, c, opts)
	return &emptypb.Empty{}, err
}

func (s cancelOnly) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	c := s.begin(ctx, callDelete, req.GetName(), 0)
	_, err := s.answer(ctx, c, opts)
	return &emptypb.Empty{}, err
}

// start is the method that starts operations: one for each request ID.
func (s *service) start(ctx context.Context, op int, id string, opts []grpc.CallOption) (*longrunningpb.Operation, error) {
	c := s.begin(ctx, callStart, nameOf(op), 0)
	c.id = id
	return s.answer(ctx, c, opts)
}

func (s *service) begin(ctx context.Context, what call, name string, timeout time.Duration) *rpc {
	op, _ := strconv.Atoi(strings.TrimPrefix(name, "operations/"))
	c := &rpc{client: s.client, op: op, what: what, timeout: timeout}
	c.by, _ = ctx.Value(visitKey{}).(*visit)
	c.poll, _ = ctx.Value(pollKey{}).(int)
	if d, ok := ctx.Deadline(); ok {
		c.limit = time.Until(d)
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	c.from = s.w.nowLocked()
	s.w.calls = append(s.w.calls, c)
	return c
}

// faultOf returns the fault that a call meets.
func (s *service) faultOf(c *rpc) fault {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	for _, st := range s.w.p.steps {
		if st.Do != doFault || c.from.at < st.At || c.from.at >= st.At+st.For || st.On&c.what == 0 || st.Op >= 0 && st.Op != c.op {
			continue
		}
		s.met[st.Index]++
		if s.met[st.Index]%st.Every == 0 {
			s.w.faults[st.Kind.String()]++
			c.faulted = st.Kind.String()
			return st.fault
		}
	}
	return fault{Kind: -1}
}

// sleep returns early, with the status of ctx, when that ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

// permanentError is one that says so itself.
type permanentError struct{ error }

func (permanentError) Permanent() bool              { return true }
func (e permanentError) GRPCStatus() *status.Status { return status.Convert(e.error) }

// latency is what every call takes: never the same twice.
func (c *rpc) latency() time.Duration {
	return time.Millisecond + time.Duration((uint64(c.from.order)*2654435761)%uint64(5*time.Millisecond))
}

// answer answers a call.
func (s *service) answer(ctx context.Context, c *rpc, opts []grpc.CallOption) (*longrunningpb.Operation, error) {
	watch := context.AfterFunc(ctx, func() {
		s.w.mu.Lock()
		defer s.w.mu.Unlock()
		if !c.to.known() {
			c.gaveUp = s.w.nowLocked()
		}
	})
	defer watch()
	f := s.faultOf(c)
	msg, err := s.reply(ctx, c, f)
	if f.Kind == hintOK && err == nil {
		c.hint = f.Arg
		for _, o := range opts {
			if h, ok := o.(grpc.HeaderCallOption); ok {
				*h.HeaderAddr = metadata.Pairs("retry-after", strconv.Itoa(int(f.Arg/time.Second)))
			}
		}
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if ctx.Err() != nil && !c.gaveUp.known() {
		c.gaveUp = s.w.nowLocked()
	}
	c.to = s.w.nowLocked()
	switch {
	case err != nil:
		c.failed, c.code = true, status.Code(err)
	case msg == nil && c.what != callCancel && c.what != callDelete:
		c.failed, c.code = true, codes.Unknown
	default:
		c.done, c.state, c.wire = msg.GetDone(), described(msg), msg.String()
	}
	return msg, err
}

func (s *service) reply(ctx context.Context, c *rpc, f fault) (*longrunningpb.Operation, error) {
	op := s.w.ops[c.op]
	before := op.state(c.from.at)
	if err := sleep(ctx, c.latency()); err != nil {
		return nil, err
	}
	refusal := status.New(f.Code, "refused")
	switch f.Kind {
	case refuse:
		return nil, refusal.Err()
	case permanent:
		c.final = true
		return nil, permanentError{refusal.Err()}
	case refuseHint:
		c.hint = f.Arg
		with, err := refusal.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(f.Arg)})
		if err != nil {
			panic(err)
		}
		return nil, with.Err()
	case nothing:
		return nil, nil
	case hang, deaf, lastWord:
		<-ctx.Done()
		if f.Kind == deaf {
			time.Sleep(f.Arg) // sleep: in the bubble of play
		}
		if f.Kind != lastWord {
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	case slow, staleSlow, refuseSlow:
		if err := sleep(ctx, f.Arg); err != nil {
			return nil, err
		}
		if f.Kind == refuseSlow {
			return nil, refusal.Err()
		}
		if f.Kind == staleSlow && c.what&(callGet|callWait) != 0 {
			return before, nil
		}
	}
	switch c.what {
	case callCancel:
		return nil, op.cancel(time.Since(s.w.begin))
	case callDelete:
		return nil, op.delete()
	case callStart:
		if c.created = true; f.Kind == replyLost {
			return nil, status.Error(codes.Unavailable, "connection reset")
		}
		return op.state(0), nil
	}
	if c.what == callWait && f.Kind != lastWord {
		if err := op.wait(ctx, c.timeout, f); err != nil {
			return nil, err
		}
	}
	if op.gone() {
		return nil, status.Error(codes.NotFound, "it was deleted")
	}
	now := time.Since(s.w.begin)
	msg := op.state(now)
	switch f.Kind {
	case otherName:
		msg.Name = "operations/of/another"
	case otherMetadata:
		msg.Metadata = pack(wrapperspb.String("of another type"))
	case early:
		if !msg.GetDone() {
			msg = op.finish(msg, outcome(c.from.order%int(outcomes)), "early ")
		}
	case other:
		if msg.GetDone() {
			msg.Result = nil
			msg = op.finish(msg, outcome(c.from.order%int(outcomes)), "other ")
		}
	case stale:
		msg.Done, msg.Result = false, nil
	}
	return msg, nil
}

// wait holds a WaitOperation back until the operation ends, or its time is over.
func (o *op) wait(ctx context.Context, timeout time.Duration, f fault) error {
	switch f.Kind {
	case atOnce:
		return nil
	case overstay:
		timeout += f.Arg
	}
	over, changed := time.Since(o.w.begin)+timeout, o.changed
	for {
		now, at := time.Since(o.w.begin), over
		if end, _ := o.ends(); end > 0 && end < over {
			at = end
		}
		if at <= now {
			break
		}
		timer := time.NewTimer(at - now)
		select {
		case <-timer.C:
		case <-changed:
			changed = nil
		case <-ctx.Done():
			timer.Stop()
			return status.FromContextError(ctx.Err()).Err()
		}
		timer.Stop()
	}
	if f.Kind == overtime && !o.doneAt(time.Since(o.w.begin)) {
		return status.Error(f.Code, "the time is over")
	}
	return nil
}

func (o *op) gone() bool {
	o.w.mu.Lock()
	defer o.w.mu.Unlock()
	return o.deleted
}

func (o *op) delete() error {
	o.w.mu.Lock()
	defer o.w.mu.Unlock()
	if o.deleted {
		return status.Error(codes.NotFound, "it was deleted")
	}
	o.deleted = true
	return nil
}

// cancel takes a request to cancel at a time.
func (o *op) cancel(now time.Duration) error {
	if o.gone() {
		return status.Error(codes.NotFound, "it was deleted")
	}
	if o.doneAt(now) {
		if o.spec.cancel == refusesCancel {
			return status.Error(codes.FailedPrecondition, "it is done")
		}
		return nil
	}
	o.w.mu.Lock()
	defer o.w.mu.Unlock()
	if o.spec.cancel != ignoresCancel && o.cancelled == 0 {
		o.cancelled = now + o.spec.cancelAfter
		close(o.changed)
	}
	return nil
}
