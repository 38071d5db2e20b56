package computetest

import (
	"net/http"
	"testing"

	compute "cloud.google.com/go/compute/apiv1"
	"google.golang.org/api/option"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/lroext"
	"github.com/go-lro/lro/lrotest"
)

func TestMain(m *testing.M) { leak.Main(m) }

const (
	zonal = "projects/p/zones/z/operations/x"
	org   = "locations/global/operations/x?parentId=organizations/1"
)

// google is a fake of Compute, and what reaches it.
type google struct {
	lrotest.Server
	mux  *http.ServeMux // for the methods that start operations, and resources
	opts []option.ClientOption
	url  string
	http *http.Client
}

// newGoogle works in a bubble. Its operations are served; what else is on mux is
// the test's.
func newGoogle(t testing.TB) *google {
	t.Helper()
	g := &google{mux: http.NewServeMux()}
	g.mux.Handle("/compute/", lrotest.NewComputeHandler(&g.Server))
	web := lrotest.NewHTTPServer(g.mux)
	t.Cleanup(web.Close)
	g.url, g.http = web.URL, web.Client()
	g.opts = []option.ClientOption{option.WithEndpoint(web.URL), option.WithHTTPClient(web.Client())}
	return g
}

// starts serves a method that starts the operation of a script.
func (g *google) starts(pattern string, script *lrotest.Script) {
	g.mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { lrotest.WriteCompute(w, script) })
}

// client returns a client of the operations of all scopes.
func (g *google) client(t testing.TB, opts ...lro.ClientOption) *lro.Client {
	t.Helper()
	ctx := t.Context()
	return lro.NewClient(lroext.Service(
		lroext.ScopeOf(must(compute.NewZoneOperationsRESTClient(ctx, g.opts...))),
		lroext.ScopeOf(must(compute.NewRegionOperationsRESTClient(ctx, g.opts...))),
		lroext.ScopeOf(must(compute.NewGlobalOperationsRESTClient(ctx, g.opts...))),
		lroext.ScopeOf(must(compute.NewGlobalOrganizationOperationsRESTClient(ctx, g.opts...))),
	), opts...)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
