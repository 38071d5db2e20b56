package future

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro"
)

// program is what a seed stands for.
type program struct {
	seed    uint64
	clients []clientSpec
	ops     []opSpec
	handles []handleSpec
	steps   []step
	end     time.Duration // when every ctx ends
}

type clientSpec struct {
	offers    offer
	longPolls int
	policy    lro.Policy
	observed  observed
}

// observed says which hooks the client's observer has.
type observed int

const (
	allHooks observed = iota
	pollHooks
	noHooks
)

// offer is what a service has beside GetOperation.
type offer int

const (
	offersAll offer = iota
	offersCancel
	offersNothing
)

func (c clientSpec) waits() bool {
	return c.offers == offersAll && c.longPolls > 0 && c.policy.LongPoll >= 0
}

// opSpec is an operation, as it is at the service.
type opSpec struct {
	start, length time.Duration // length 0 for one that never ends
	outcome       outcome
	metadata      time.Duration // it changes so often; 0 for never, negative for none
	percent       bool          // it has a percentage
	cancel        cancelling
	cancelAfter   time.Duration
}

type outcome int

const (
	succeeds outcome = iota
	fails
	failsWithOK
	hasNoResult
	hasOtherType
	outcomes
)

type cancelling int

const (
	cancels cancelling = iota
	ignoresCancel
	refusesCancel // FAILED_PRECONDITION once it is done
	cancellings
)

// handleSpec is an lro.Operation.
type handleSpec struct {
	client, op int
	resumed    bool
	started    bool // by a step, and not there before
	named      bool // by a Method with a name
	at         time.Duration
}

// do is what a step does: a caller's wait or call, or a fault.
type do int

const (
	doWait do = iota
	doAwait
	doOnDone
	doProgress
	doPoll
	doCancel
	doCancelAndWait
	doWaitAll
	doWaitAny
	doGroup
	doFault
	doDelete
	doStart
	doLearn
)

var doNames = []string{"Wait", "Await", "OnDone", "Progress", "Poll", "Cancel", "CancelAndWait", "WaitAll", "WaitAny", "Group", "fault", "Delete", "Start", "SetLearned"}

func (d do) String() string { return doNames[d] }

func (d do) many() bool { return d == doWaitAll || d == doWaitAny || d == doGroup }

// waits reports whether it keeps a wait alive.
func (d do) waits() bool { return d < doFault && d != doPoll && d != doCancel }

type step struct {
	Index int
	At    time.Duration
	Do    do

	Handles  []int
	Deadline time.Duration // of its ctx, after At; 0 for none
	Leaves   time.Duration // its ctx is cancelled, after At; 0 for never
	Grace    time.Duration // of CancelOnEnd; 0 for none
	After    int           // states or operations after which the loop is left; 0 for never
	InFlight int           // of the group
	QPS      float64
	Later    time.Duration // of a group: when one more is added, after At; 0 for none
	Adds     int           // which handle
	ID       requestID     // of a start

	fault
}

// requestID is the one that a start is given.
type requestID int

const (
	randomID requestID = iota
	givenID
	noID
	requestIDs
)

func (s step) String() string {
	if s.Do == doFault {
		return fmt.Sprintf("%d: from %v %v", s.Index, s.At, s.fault)
	}
	text := fmt.Sprintf("%d: at %v %v of %v", s.Index, s.At, s.Do, s.Handles)
	if s.Deadline > 0 {
		text += fmt.Sprintf(", deadline in %v", s.Deadline)
	}
	if s.Leaves > 0 {
		text += fmt.Sprintf(", leaves in %v", s.Leaves)
	}
	if s.Grace > 0 {
		text += fmt.Sprintf(", cancels on end with grace %v", s.Grace)
	}
	if s.After > 0 {
		text += fmt.Sprintf(", until %d", s.After)
	}
	if s.Do.many() && s.Do == doGroup {
		text += fmt.Sprintf(", %d in flight, %v a second", s.InFlight, s.QPS)
	}
	if s.Later > 0 {
		text += fmt.Sprintf(", adds %d in %v", s.Adds, s.Later)
	}
	if s.Do == doStart {
		text += fmt.Sprintf(", request ID %d", s.ID)
	}
	return text
}

// The streams of random numbers of a seed.
func random(seed uint64, stream int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(stream)))
}

// between is log-uniform, and hardly ever the same twice.
func between(r *rand.Rand, from, to time.Duration) time.Duration {
	ratio := float64(to) / float64(from)
	return time.Duration(float64(from) * math.Pow(ratio, r.Float64()))
}

func oneIn(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func generate(seed uint64) *program {
	r, more := random(seed, 0), random(seed, 1)
	if oneIn(more, 40) {
		return crowd(seed, more)
	}
	p := &program{seed: seed}
	span := pick(r, 3*time.Second, 30*time.Second, 5*time.Minute, time.Hour)
	for range 1 + r.IntN(3)/2 {
		p.clients = append(p.clients, generateClient(r))
	}
	calm := oneIn(r, 4)
	for range 1 + r.IntN(5) {
		p.ops = append(p.ops, generateOp(r, span))
	}
	for i, op := range p.ops {
		for n := 1 + r.IntN(4)/3; n > 0; n-- {
			at := op.start
			h := handleSpec{client: r.IntN(len(p.clients)), op: i, resumed: oneIn(r, 3), named: !oneIn(r, 3)}
			if n > 1 || oneIn(r, 6) {
				h.resumed = true
				at += between(r, time.Millisecond, span)
			}
			h.at = at
			p.handles = append(p.handles, h)
		}
	}
	for range 1 + r.IntN(12) {
		p.add(generateActor(r, p, span))
	}
	if !calm {
		for range 1 + r.IntN(6) {
			s := step{Do: doFault, At: time.Duration(r.Float64() * float64(span)), fault: generateFault(r, len(p.ops), span)}
			if oneIn(r, 3) {
				s.At = 0
			}
			p.add(s)
		}
	}
	p.end = span + between(r, time.Second, span)
	p.more(more, span)
	return p
}

func (p *program) add(s step) {
	s.Index = len(p.steps)
	p.steps = append(p.steps, s)
}

func generateClient(r *rand.Rand) clientSpec {
	c := clientSpec{offers: pick(r, offersAll, offersAll, offersCancel, offersNothing), longPolls: pick(r, 32, 32, 1, 2, 0), observed: pick(r, allHooks, allHooks, allHooks, allHooks, allHooks, pollHooks, noHooks)}
	p := &c.policy
	p.PlainSchedule = oneIn(r, 2)
	p.Jitter = pick(r, -1, -1, 0, 0.5)
	if oneIn(r, 3) {
		p.FirstPoll = between(r, 10*time.Millisecond, 2*time.Second)
	}
	if oneIn(r, 4) {
		p.Multiplier = pick(r, 1, 1.1, 2)
		if p.Multiplier == 1 {
			p.FirstPoll = between(r, time.Second, 10*time.Second)
		}
	}
	if oneIn(r, 3) {
		p.MaxInterval = between(r, time.Second, 2*time.Minute)
	}
	if oneIn(r, 4) {
		p.AttemptTimeout = between(r, 500*time.Millisecond, time.Minute)
	}
	if oneIn(r, 4) {
		p.LongPoll = pick(r, -1, 2*time.Second, 5*time.Minute)
	}
	if oneIn(r, 6) {
		p.NextPoll = pick(r, lro.AimByProgress, farAhead)
	}
	if oneIn(r, 4) {
		p.SoftErrors = pick(r, -1, 1, 10)
	}
	if oneIn(r, 4) {
		p.SoftErrorTime = pick(r, -1, 2*time.Second, 5*time.Minute)
	}
	if oneIn(r, 4) {
		p.NotFoundGrace = pick(r, -1, 200*time.Millisecond, time.Minute)
	}
	return c
}

// farAhead proposes pauses that are too long.
func farAhead(p lro.Policy) func(lro.Raw, time.Duration) time.Duration {
	return func(lro.Raw, time.Duration) time.Duration { return 3 * p.MaxInterval }
}

func generateOp(r *rand.Rand, span time.Duration) opSpec {
	op := opSpec{start: time.Duration(r.Float64() * r.Float64() * float64(span)), length: between(r, span/100, span)}
	if oneIn(r, 8) {
		op.length = 0
	}
	if oneIn(r, 3) {
		op.start = time.Duration(r.IntN(1000))
	}
	if oneIn(r, 2) {
		op.outcome = outcome(r.IntN(int(outcomes)))
	}
	op.metadata = pick(r, -1, 0, between(r, span/50, span))
	op.percent = oneIn(r, 3)
	op.cancel = cancelling(r.IntN(int(cancellings)))
	op.cancelAfter = between(r, time.Millisecond, span/4)
	return op
}

func generateActor(r *rand.Rand, p *program, span time.Duration) step {
	s := step{Do: do(r.IntN(int(doFault)))}
	if oneIn(r, 2) {
		s.Do = pick(r, doWait, doWait, doProgress, doGroup)
	}
	h := r.IntN(len(p.handles))
	s.Handles = []int{h}
	s.At = p.handles[h].at + 1 + time.Duration(r.Float64()*r.Float64()*float64(span))
	if oneIn(r, 2) {
		s.At = p.handles[h].at + 1 + time.Duration(r.IntN(1000))
	}
	if s.Do.many() {
		s.Handles = s.Handles[:0]
		for i, h := range p.handles {
			if h.at < s.At && !oneIn(r, 4) && !slices.ContainsFunc(s.Handles, func(j int) bool { return p.handles[j].op == h.op && p.handles[j].client == h.client }) {
				s.Handles = append(s.Handles, i)
			}
		}
		if len(s.Handles) == 0 {
			s.Handles = append(s.Handles, h)
		}
		s.InFlight, s.QPS = pick(r, 0, 0, 1, 2), pick[float64](r, 0, 0, -1, 2, 20)
	}
	switch r.IntN(5) {
	case 0, 1:
		s.Deadline = between(r, span/100, span)
	case 2:
		s.Leaves = between(r, span/100, span)
	}
	switch {
	case s.Do == doProgress && oneIn(r, 3):
		s.After = 1 + r.IntN(4)
	case s.Do == doGroup && oneIn(r, 3):
		s.After = 1
	case s.Do <= doProgress && oneIn(r, 5):
		s.Grace = between(r, span/50, span)
	}
	return s
}

// only returns the program with the given steps alone.
func (p *program) only(steps []int) *program {
	less := *p
	less.steps = nil
	for _, s := range p.steps {
		if slices.Contains(steps, s.Index) {
			less.steps = append(less.steps, s)
		}
	}
	return &less
}

func (p *program) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "until %v\n", p.end)
	for i, c := range p.clients {
		fmt.Fprintf(&b, "client %d: offers %d, %d long polls, %+v\n", i, c.offers, c.longPolls, c.policy)
	}
	for i, o := range p.ops {
		fmt.Fprintf(&b, "operation %d: %+v\n", i, o)
	}
	for i, h := range p.handles {
		fmt.Fprintf(&b, "handle %d: %+v\n", i, h)
	}
	for _, s := range p.steps {
		fmt.Fprintln(&b, s)
	}
	return b.String()
}

// fault is what a service does to calls that arrive while its step lasts.
type fault struct {
	For   time.Duration
	Op    int  // -1 for all
	On    call // which calls
	Every int  // of those, one in so many
	Kind  faultKind
	Arg   time.Duration
	Code  codes.Code
}

func (f fault) String() string {
	return fmt.Sprintf("for %v: of operation %d, one in %d of %v: %v %v %v", f.For, f.Op, f.Every, f.On, f.Kind, f.Arg, f.Code)
}

// call is which method, and sets of them.
type call int

const (
	callGet call = 1 << iota
	callWait
	callCancel
	callDelete
	callStart
)

func (c call) String() string {
	var names []string
	for i, name := range []string{"Get", "Wait", "Cancel", "Delete", "Start"} {
		if c&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

type faultKind int

const (
	slow       faultKind = iota // takes Arg longer
	staleSlow                   // the same, with the state from before
	hang                        // answers with the end of ctx
	deaf                        // hangs, and for Arg longer
	lastWord                    // answers with the state when ctx ends
	refuse                      // Code
	refuseSlow                  // Code, after Arg
	refuseHint                  // Code, with a RetryInfo of Arg
	permanent                   // Code, and says that it is permanent
	hintOK                      // answers with a Retry-After of Arg
	nothing                     // neither an operation nor an error
	otherName
	otherMetadata
	early    // done with another result than it will have
	other    // done, when it is, with another result
	stale    // running, when it is done
	atOnce   // WaitOperation does not wait
	overstay // WaitOperation waits Arg longer than asked
	overtime // WaitOperation answers with Code at the end of its time
	faultKinds

	replyLost = faultKinds // of a start: UNAVAILABLE, and it is done
)

var faultNames = []string{
	"slow", "slow and stale", "hangs", "deaf", "last word", "refuses", "refuses slowly", "refuses with a hint", "permanent", "hint",
	"nothing", "other name", "other metadata", "done early", "other result", "stale", "wait at once", "wait overstays", "wait fails at its end", "reply lost",
}

func (k faultKind) String() string { return faultNames[k] }

func generateFault(r *rand.Rand, ops int, span time.Duration) fault {
	f := fault{Kind: faultKind(r.IntN(int(faultKinds))), Op: r.IntN(ops+1) - 1, Every: pick(r, 1, 1, 1, 2, 3, 5)}
	f.On = pick(r, callGet, callGet, callWait, callGet|callWait, callCancel, callGet|callWait|callCancel)
	f.For = between(r, span/1000, span)
	f.Arg = between(r, time.Millisecond, 30*time.Second)
	f.Code = pick(r, codes.Unavailable, codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Internal, codes.Unknown, codes.Aborted,
		codes.Canceled, codes.NotFound, codes.NotFound, codes.PermissionDenied, codes.Unauthenticated, codes.InvalidArgument, codes.Unimplemented)
	switch f.Kind {
	case early, other, stale, otherMetadata, otherName, nothing, hintOK:
		f.On &^= callCancel
	case atOnce, overstay, overtime:
		f.On = callWait
	}
	if f.On == 0 {
		f.On = callGet
	}
	if f.Kind == hintOK || f.Kind == refuseHint {
		f.Arg = pick(r, time.Second, 3*time.Second, 20*time.Second, time.Hour)
	}
	if f.Kind == overtime {
		f.Code = pick(r, codes.DeadlineExceeded, codes.Canceled)
	}
	return f
}
