package lro

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// defaultLongPolls is how many WaitOperation calls a client has open at once
// unless [WithLongPolls] says otherwise: few enough that a connection's
// streams stay free for other calls.
const defaultLongPolls = 32

// Client calls one service. It holds what the service's operations share: call
// options and metadata, which optional methods the service has, and the default
// [Policy]. It is safe for concurrent use, holds no resources, and need not be
// closed.
//
// All callers that wait for an [Operation] see its answers, whichever caller's
// credentials a call carried. Programs that act for several principals use a
// Client for each.
type Client struct {
	service   longrunningpb.OperationsClient
	waiter    waiter          // nil when the service has none
	selective selectiveWaiter // nil when it has one for all operations
	config    clientConfig

	longPolls      atomic.Int64 // open now
	longPollDoubts atomic.Int64 // operations in a row that WaitOperation did not know
	longPollTrust  atomic.Bool  // a done answer of WaitOperation was confirmed
	longCalls      longCalls
	longPollResume atomic.Int64 // Unix nanoseconds before which WaitOperation is not used
	learned        learned      // of its methods' durations
	origins        [recentOrigins]atomic.Pointer[origin]
	headers        [recentNames]atomic.Pointer[outgoing]
	limits         limits       // of polls
	bubbleLimits   sync.Map     // of those in bubbles of testing/synctest: *limits by bubble
	seed           maphash.Seed // of their places
	rate           rate         // of polls, after RESOURCE_EXHAUSTED
	rtt            atomic.Int64 // of recent GetOperation calls, nanoseconds; 0 for unknown

	schedulersMu sync.Mutex   // taken after a core's mu
	schedulers   []*scheduler // one while callers wait; more only in bubbles of testing/synctest
}

type clientConfig struct {
	name        string
	policy      *Policy
	policyErr   error // that it makes no sense
	callOptions []grpc.CallOption
	metadata    metadata.MD
	longPolls   int
	observer    *Observer
	onStart     func(context.Context, Started) error
}

// ClientOption configures a [Client].
type ClientOption func(*clientConfig)

// WithPolicy sets the policy of operations whose [Method] has none of its own.
// If the policy is invalid, for example with a negative interval,
// [Method.Wrap], [Method.Resume] and [Method.Start] return an error, as they do
// for a Method's own policy.
func WithPolicy(p Policy) ClientOption {
	return func(c *clientConfig) {
		full, err := p.withDefaults()
		if c.policyErr = err; err != nil {
			full = defaultPolicy
		}
		c.policy = &full
	}
}

// WithCallOptions adds options to every call of the service.
func WithCallOptions(opts ...grpc.CallOption) ClientOption {
	return func(c *clientConfig) { c.callOptions = append(c.callOptions, opts...) }
}

// WithMetadata adds outgoing metadata to every call of the service. It is
// copied.
func WithMetadata(md metadata.MD) ClientOption {
	return func(c *clientConfig) { c.metadata = metadata.Join(c.metadata, md) }
}

// WithLongPolls sets how many WaitOperation calls may be open at once;
// operations beyond that number are polled. Default 32; 0 or less means never
// to use WaitOperation.
func WithLongPolls(n int) ClientOption {
	return func(c *clientConfig) { c.longPolls = n }
}

// WithServiceName names the service, such as "library.googleapis.com". Resume
// tokens carry it, and a client with a name refuses the tokens of another.
func WithServiceName(name string) ClientOption {
	return func(c *clientConfig) { c.name = name }
}

// WithObserver adds hooks that see waits and polls. The option may be repeated;
// each observer sees everything.
func WithObserver(o *Observer) ClientOption {
	return func(c *clientConfig) { c.observer = c.observer.join(o) }
}

// NewClient returns a client of the given service. It makes no call and cannot
// fail; a nil service is a bug in the program, and panics.
func NewClient(service Service, opts ...ClientOption) *Client {
	if service == nil {
		panic("lro: NewClient: service is nil")
	}
	c := &Client{service: Stub{service}, seed: maphash.MakeSeed(), config: clientConfig{longPolls: defaultLongPolls, policy: &defaultPolicy}}
	for _, opt := range opts {
		opt(&c.config)
	}
	c.waiter, _ = service.(waiter)
	c.selective, _ = service.(selectiveWaiter)
	return c
}

// NewClientConn returns a client of the google.longrunning.Operations service
// at the other end of a gRPC connection. Like NewClient, it panics when conn is
// nil.
func NewClientConn(conn grpc.ClientConnInterface, opts ...ClientOption) *Client {
	if conn == nil {
		panic("lro: NewClientConn: conn is nil")
	}
	return NewClient(longrunningpb.NewOperationsClient(conn), opts...)
}

// learnRTT takes the duration of a GetOperation into the running mean.
func (c *Client) learnRTT(took time.Duration) {
	old := c.rtt.Load()
	if old == 0 {
		c.rtt.Store(max(1, int64(took)))
		return
	}
	c.rtt.Store(max(1, old+(int64(took)-old)/4))
}

// maxLastPollMargin is the most that lastPollMargin returns.
const maxLastPollMargin = time.Second

// lastPollMargin is how long before a deadline a last poll is made.
func (c *Client) lastPollMargin() time.Duration {
	const unknown = 50 * time.Millisecond
	rtt := time.Duration(c.rtt.Load())
	if rtt == 0 {
		rtt = unknown
	}
	return min(max(2*rtt, 20*time.Millisecond), maxLastPollMargin)
}

// Learned returns what the client has learned of how long the operations of
// its methods take, for [Client.SetLearned] of a later process: text of about a
// kilobyte a method, which holds the names of methods or types and no names of
// operations. It is empty while nothing is known.
func (c *Client) Learned() string { return c.learned.text() }

// SetLearned loads text that [Client.Learned] of another client
// returned. For the methods in it, it replaces what this client knows.
// It fails, and changes nothing, if text is not of this version or was
// cut off.
func (c *Client) SetLearned(text string) error {
	if err := c.learned.load(text); err != nil {
		return fmt.Errorf("load what was learned: %w", err)
	}
	return nil
}
