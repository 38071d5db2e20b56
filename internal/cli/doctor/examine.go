package doctor

import (
	"context"
	"crypto/rand"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/internal/cli/dial"
	"github.com/go-lro/lro/internal/cli/remote"
	"github.com/go-lro/lro/internal/extop"
	"github.com/go-lro/lro/lropb"
)

// report is the output for programs; see docs/cli_json.md.
type report struct {
	Service   string   `json:"service"`
	Transport string   `json:"transport"`
	TLS       *tlsInfo `json:"tls,omitempty"`
	Methods   []offer  `json:"methods"`
	Extras    []offer  `json:"extras,omitempty"`
	Latency   *latency `json:"latency,omitempty"`
	Waiting   *waiting `json:"waiting,omitempty"`

	err error // why nothing can be learnt from GetOperation
}

type tlsInfo struct {
	Version     string `json:"version"`
	Certificate string `json:"certificate,omitempty"`
}

// offer is something that a service may have.
type offer struct {
	Name    string `json:"name"`
	Verdict string `json:"verdict"` // yes, no, refused or unclear
	Answer  string `json:"answer,omitempty"`
}

type latency struct {
	Calls   int     `json:"calls"`
	Median  float64 `json:"medianSeconds"`
	Longest float64 `json:"longestSeconds"`
}

type waiting struct {
	Mode string `json:"mode"`
	Why  string `json:"why"`
}

// The verdicts.
const (
	yes     = "yes"
	no      = "no"
	refused = "refused"
	unclear = "unclear"
)

const (
	// timeout bounds each question.
	timeout = 10 * time.Second
	// calls is how many calls measure the service's latency.
	calls = 5
)

func examine(ctx context.Context, s *remote.Session, parent string) *report {
	r := &report{Service: s.Target, Transport: "HTTP/JSON"}
	switch {
	case s.Compute:
		r.Transport = "HTTP/JSON of Compute Engine"
	case s.Conn != nil:
		r.Transport = "gRPC"
	}
	name := "operations/lro-doctor-" + strings.ToLower(rand.Text())
	list := "operations"
	if parent != "" {
		name, list = parent+"/"+name, parent
	}
	if s.Compute {
		name, _ = computeName(parent, path.Base(name)) // was looked at before
	}
	var p peer.Peer
	verdict, get := r.probe(ctx, s, "GetOperation", func(ctx context.Context, c longrunningpb.OperationsClient) error {
		_, err := c.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name}, grpc.Peer(&p))
		return err
	})
	if verdict == refused || verdict == unclear {
		r.err = get
	}
	if unreachable(get) {
		return r
	}
	if info, ok := p.AuthInfo.(credentials.TLSInfo); ok {
		r.TLS = tlsReport(info.State)
	}
	_, listed := r.probe(ctx, s, "ListOperations", func(ctx context.Context, c longrunningpb.OperationsClient) error {
		_, err := c.ListOperations(ctx, &longrunningpb.ListOperationsRequest{Name: list, PageSize: 1})
		return err
	})
	switch {
	case s.WrongPath(get):
		// A service further up lists the operations of a parent that is none.
		r.Methods[1] = offerOf("ListOperations", get, no)
	case verdict == no && listed == nil && status.Code(get) == codes.NotFound:
		// It only words what it does not know as the web server does.
		verdict = yes
		r.Methods[0] = offerOf("GetOperation", get, yes)
	}
	wait, _ := r.probe(ctx, s, "WaitOperation", func(ctx context.Context, c longrunningpb.OperationsClient) error {
		if !s.WaitsFor(name) {
			return status.Error(codes.Unimplemented, "operations of organizations have none")
		}
		_, err := c.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: name, Timeout: durationpb.New(0)})
		return err
	})
	r.probe(ctx, s, "CancelOperation", func(ctx context.Context, c longrunningpb.OperationsClient) error {
		_, err := c.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: name})
		return err
	})
	r.probe(ctx, s, "DeleteOperation", func(ctx context.Context, c longrunningpb.OperationsClient) error {
		_, err := c.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: name})
		return err
	})
	r.extras(ctx, s)
	r.measure(ctx, s, name)
	r.Waiting = mode(verdict, wait)
	return r
}

// computeName returns the name of an operation of Compute Engine in a scope,
// which may be a link.
func computeName(scope, id string) (string, error) {
	scope, query, ok := strings.Cut(scope, "?")
	if ok {
		query = "?" + query
	}
	return extop.CanonicalName(strings.TrimSuffix(scope, "/") + "/operations/" + id + query)
}

// unreachable reports whether err says nothing about the method.
func unreachable(err error) bool {
	code := status.Code(err)
	return code == codes.Unavailable || code == codes.DeadlineExceeded || code == codes.Canceled
}

// probe makes one call and notes what it says about the method.
func (r *report) probe(ctx context.Context, s *remote.Session, name string, call func(context.Context, longrunningpb.OperationsClient) error) (verdict string, err error) {
	err = bounded(ctx, func(ctx context.Context) error { return call(ctx, s) })
	verdict = verdictOf(err)
	_ = bounded(ctx, func(ctx context.Context) error {
		if s.NotServed(ctx, err, call) {
			verdict = no
		}
		return nil
	})
	r.Methods = append(r.Methods, offerOf(name, err, verdict))
	return verdict, err
}

func bounded(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return call(ctx)
}

func offerOf(name string, err error, verdict string) offer {
	o := offer{Name: name, Verdict: verdict}
	if err != nil && o.Verdict != yes {
		o.Answer = dial.Describe(status.Convert(err))
	}
	return o
}

// verdictOf reports whether a method exists by how it answers a call for an
// operation that does not exist.
func verdictOf(err error) string {
	switch status.Code(err) {
	case codes.OK, codes.NotFound, codes.InvalidArgument, codes.FailedPrecondition:
		return yes
	case codes.Unimplemented:
		return no
	case codes.PermissionDenied, codes.Unauthenticated:
		return refused
	}
	return unclear
}

// extras finds what a service has besides its operations.
func (r *report) extras(ctx context.Context, s *remote.Session) {
	kinds := &lropb.ListKindsResponse{}
	err := bounded(ctx, func(ctx context.Context) (err error) {
		kinds, err = s.Starter.ListKinds(ctx, &lropb.ListKindsRequest{})
		return err
	})
	r.extra("lro.v1.Starter", err, func() string {
		var names []string
		for _, k := range kinds.GetKinds() {
			names = append(names, k.GetName())
		}
		return strings.Join(names, ", ")
	})
	if s.Conn == nil {
		return
	}
	services, err := s.Reflection.Services(ctx)
	r.extra("reflection", err, func() string { return fmt.Sprintf("%d services", len(services)) })
	health := &healthpb.HealthCheckResponse{}
	err = bounded(ctx, func(ctx context.Context) (err error) {
		health, err = healthpb.NewHealthClient(s.Conn).Check(ctx, &healthpb.HealthCheckRequest{})
		return err
	})
	r.extra("health", err, func() string { return health.GetStatus().String() })
}

func (r *report) extra(name string, err error, answer func() string) {
	o := offerOf(name, err, verdictOf(err))
	switch {
	case err == nil:
		o.Answer = answer()
	case status.Code(err) == codes.NotFound || o.Verdict == no || dial.NoSuchPath(err):
		// Over HTTP a path that is not there is NOT_FOUND.
		o.Verdict, o.Answer = no, ""
	}
	r.Extras = append(r.Extras, o)
}

// measure asks a few times more, now that the connection is there.
func (r *report) measure(ctx context.Context, s *remote.Session, name string) {
	took := make([]time.Duration, 0, calls)
	for range calls {
		begin := time.Now()
		err := bounded(ctx, func(ctx context.Context) error {
			_, err := s.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
			return err
		})
		if unreachable(err) {
			return
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	r.Latency = &latency{Calls: calls, Median: took[len(took)/2].Seconds(), Longest: took[len(took)-1].Seconds()}
}

// mode is how package lro waits, with its default policy.
func mode(get, wait string) *waiting {
	const polling = "polling with GetOperation: first after 100ms, then at growing intervals of at most 20s"
	switch {
	case get == no:
		return &waiting{"not at all", "the service has no GetOperation"}
	case get != yes:
		return &waiting{"not known", "GetOperation does not report whether the operation exists"}
	case wait == yes:
		return &waiting{
			"long poll with WaitOperation, in calls of up to 30s: the end is seen at once",
			"the service has it; at most 32 operations at once, the others are polled",
		}
	case wait == refused:
		return &waiting{polling, "WaitOperation is refused; it is tried again every 10m"}
	case wait == unclear:
		return &waiting{polling, "WaitOperation does not work as specified"}
	}
	return &waiting{polling, "the service has no WaitOperation"}
}
