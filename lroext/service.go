package lroext

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/extop"
)

// Service makes a service for [lro.NewClient] of the clients of operations:
//
//	client := lro.NewClient(lroext.Service(lroext.ScopeOf(zones), lroext.ScopeOf(regions), lroext.ScopeOf(globals)))
//
// The name of an operation, see [Name], selects the scope. A call for an operation
// of another scope fails with FAILED_PRECONDITION and names the fields of the
// client that is missing.
//
// WaitOperation calls the client's Wait and gives it up after the requested time,
// since Compute's Wait takes no timeout and returns within 2 minutes.
// DeleteOperation, CancelOperation and ListOperations call Delete, Cancel and
// List, and are UNIMPLEMENTED if the client has no such method; Compute's clients
// have no Cancel. The name in a ListOperations request is a scope, such as
// "projects/p/zones/z", or "projects/p" for all scopes of a project, which the
// client of global operations lists (Compute's AggregatedList).
//
// The retry and the timeout of the generated methods are switched off, since
// [lro.Policy] decides about both. Service makes no call and does not fail. The
// service is safe for concurrent use.
func Service(scopes ...Scope) lro.Service {
	var all []*extop.Scope
	var wrong []error
	for _, one := range scopes {
		if one.scope == nil {
			err := one.err
			if err == nil {
				err = errors.New("a scope is the zero value: use ScopeOf")
			}
			wrong = append(wrong, err)
			continue
		}
		all = append(all, one.scope)
	}
	return extop.NewService(all, wrong)
}

// NewHTTPService makes a service for [lro.NewClient] that calls Compute's REST
// API by itself, for operations of every scope:
//
//	service, err := lroext.NewHTTPService[*computepb.Operation]("https://compute.googleapis.com/compute/v1", authorized)
//
// Op is a message with the annotations of an extended operation. The http.Client
// brings the credentials, and is not modified; nil means http.DefaultClient.
// grpc.PerRPCCredentials of a call are sent too. Only
// baseURL is called, whatever host a selfLink has, and redirects are not
// followed unless the client has a CheckRedirect. WaitOperation is there for all
// operations but those of organizations; the rest is as in [Service].
//
// NewHTTPService makes no call. It fails if baseURL is not an absolute http or
// https URL, if it has a query or user, and if Op is no extended operation.
//
// The service is safe for concurrent use.
func NewHTTPService[Op proto.Message](baseURL string, client *http.Client) (lro.Service, error) {
	if reflect.TypeFor[Op]().Kind() != reflect.Pointer {
		return nil, fmt.Errorf("new service: %v is no message that can be made", reflect.TypeFor[Op]())
	}
	var none Op
	return extop.NewHTTPService(none.ProtoReflect().Type(), baseURL, client)
}

// Name returns the canonical name of the operation with this selfLink, such as
// "projects/p/zones/z/operations/ID". The host and the version (v1, beta, alpha)
// in a link do not matter. Names are accepted too.
//
// The names are
//
//	projects/PROJECT/zones/ZONE/operations/ID
//	projects/PROJECT/regions/REGION/operations/ID
//	projects/PROJECT/global/operations/ID
//	locations/global/operations/ID?parentId=organizations/NUMBER
//
// A project may be domain-scoped (example.com:project). The parent of an operation
// of an organization is no part of its selfLink; see [InParent].
//
// Name fails if link is none of these.
func Name(link string) (string, error) { return extop.CanonicalName(link) }
