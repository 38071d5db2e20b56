package transporttest

import (
	"slices"
	"testing"
	"testing/synctest"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro"
)

// Transport serves srv and returns what calls it.
type Transport func(t *testing.T, srv longrunningpb.OperationsServer) lro.Service

// bench is what a case works with.
type bench struct {
	*testing.T
	dial Transport
}

// client serves s and returns a client of it.
func (b bench) client(s *service, opts ...lro.ClientOption) *lro.Client {
	b.Helper()
	return lro.NewClient(b.dial(b.T, s), opts...)
}

// Run runs all cases over a transport, except those named: what the transport
// is unable to carry.
func Run(t *testing.T, transport Transport, except ...string) {
	t.Helper()
	groups := map[string][]testCase{
		"wait":   waitCases,
		"poll":   pollCases,
		"call":   callCases,
		"result": resultCases,
	}
	var left int
	for group, cases := range groups {
		for _, c := range cases {
			if slices.Contains(except, group+"/"+c.name) {
				left++
				continue
			}
			t.Run(group+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { c.run(bench{t, transport}) })
			})
		}
	}
	if left != len(except) {
		t.Errorf("Run leaves out %d cases, but is given %q", left, except)
	}
}

type testCase struct {
	name string
	run  func(bench)
}
