package dial

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/computeop"
	"github.com/go-lro/lro/internal/extop"
	"github.com/go-lro/lro/lropb"
)

// computeURL is where Compute Engine is, without the version.
const computeURL = "https://compute.googleapis.com/compute/"

// computeVersion returns the version in the URL of Compute's REST, such as
// https://compute.googleapis.com/compute/v1, and whether it is one.
func computeVersion(base string) (string, bool) {
	u, err := url.Parse(base)
	if err != nil {
		return "", false
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if n := len(parts); n >= 2 && parts[n-2] == "compute" {
		return parts[n-1], true
	}
	return "", false
}

// ReachLinks makes the selfLinks of Compute Engine among args say which service is
// meant, unless a flag does, or LRO_URL with a URL of Compute. The host of a link
// is not called: credentials are for Google's, and links of any other host need
// --url.
func (f *Flags) ReachLinks(args []string) error {
	if f.Addr != "" || f.URL != "" {
		return nil
	}
	if _, ok := computeVersion(f.io.Env("LRO_URL")); ok && f.io.Env("LRO_ADDR") == "" {
		return nil
	}
	for _, arg := range args {
		u, err := url.Parse(arg)
		base, _, found := strings.Cut(arg, "/projects/")
		if !found {
			base, _, found = strings.Cut(arg, "/locations/")
		}
		version, ok := computeVersion(base)
		if err != nil || u.Host == "" || !found || !ok {
			continue
		}
		if host := u.Hostname(); host != "googleapis.com" && !strings.HasSuffix(host, ".googleapis.com") {
			return exit.Hint(exit.AsUsage(fmt.Errorf("%q is a link to %s, which is not Google's", arg, host)), "--url "+base+" calls it")
		}
		f.URL = computeURL + version
		return nil
	}
	return nil
}

// openCompute prepares to call Compute Engine.
func (f Flags) openCompute(headers []header, token tokenSource) (*Service, error) {
	transport, err := f.transport()
	if err != nil {
		return nil, err
	}
	service, err := extop.NewHTTPService((*computeop.Operation)(nil).ProtoReflect().Type(), f.URL, &http.Client{Transport: decorated{transport, headers, token}})
	if err != nil {
		return nil, fmt.Errorf("--url: %w", err)
	}
	return &Service{
		OperationsClient: lro.Stub{Service: service},
		Starter:          noStarter{},
		Target:           f.target(),
		Compute:          true,
		waitsFor:         service.(interface{ WaitsFor(name string) bool }).WaitsFor,
		close:            transport.CloseIdleConnections,
	}, nil
}

// WaitsFor reports whether the service has WaitOperation for an operation, as
// far as it is known without a call; see [lro.Service].
func (s *Service) WaitsFor(name string) bool { return s.waitsFor == nil || s.waitsFor(name) }

// noStarter is the Starter of a service that has none.
type noStarter struct{}

var errNoStarter = status.Error(codes.Unimplemented, "Compute Engine has no lro.v1.Starter")

// StartOperation and ListKinds implement [lropb.StarterClient].
func (noStarter) StartOperation(context.Context, *lropb.StartOperationRequest, ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return nil, errNoStarter
}

func (noStarter) ListKinds(context.Context, *lropb.ListKindsRequest, ...grpc.CallOption) (*lropb.ListKindsResponse, error) {
	return nil, errNoStarter
}
