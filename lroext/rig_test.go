package lroext

import (
	"net/http"
	"testing"
	"time"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/computeop"
	"github.com/go-lro/lro/lrotest"
)

const (
	zonal = "projects/p/zones/z/operations/x"
	org   = "locations/global/operations/x?parentId=organizations/1"
)

type operation = lro.Operation[*computeop.Operation, *computeop.Operation]

// serve returns a client of the operations of srv, over REST in memory, and the
// HTTP client that it uses. It works in a bubble.
func serve(t *testing.T, srv *lrotest.Server, opts ...lro.ClientOption) (*lro.Client, *http.Client) {
	t.Helper()
	web := lrotest.NewHTTPServer(lrotest.NewComputeHandler(srv))
	t.Cleanup(web.Close)
	return clientOf(t, web.URL, web.Client(), opts...), web.Client()
}

func clientOf(t *testing.T, base string, h *http.Client, opts ...lro.ClientOption) *lro.Client {
	t.Helper()
	service, err := NewHTTPService[*computeop.Operation](base+"/compute/v1", h)
	if err != nil {
		t.Fatal(err)
	}
	return lro.NewClient(service, opts...)
}

func resume(t *testing.T, c *lro.Client, name string) *operation {
	t.Helper()
	op, err := Resume[*computeop.Operation](c, name)
	if err != nil {
		t.Fatal(err)
	}
	return op
}

// running is the state of an operation that has come so far.
func running(percent int32) *computeop.Operation {
	return &computeop.Operation{Status: computeop.Operation_RUNNING.Enum(), Progress: &percent, OperationType: new("insert")}
}

// plain makes the number of polls not depend on chance.
var plain = lro.WithPolicy(lro.Policy{PlainSchedule: true, Jitter: -1, FirstPoll: 100 * time.Millisecond})
