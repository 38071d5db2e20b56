package dial

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"path"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro/lrohttp"
)

// nowhere is a client of the same web server, below a path where nothing can be
// served. Gateways answer there with a status as proper as that of a service
// that does not know an operation, such as grpc-gateway's {"code":5,"message":
// "Not Found"}: only the comparison distinguishes the two.
type nowhere struct {
	client        longrunningpb.OperationsClient
	path, instead string // the prefix of the paths, and that of the service
}

// newNowhere makes one in place of the last part of prefix.
func newNowhere(prefix string, open func(prefix string) (*lrohttp.Client, error)) (*nowhere, error) {
	n := &nowhere{path: path.Join(path.Dir(prefix), "lro-"+strings.ToLower(rand.Text())), instead: prefix}
	client, err := open(n.path)
	if err != nil {
		return nil, err
	}
	n.client = client
	return n, nil
}

// NotServed reports whether err, what call returned, is the answer that the web
// server gives where nothing is served. It repeats a call that was answered by
// 404 at a path that cannot exist. False over gRPC, where UNIMPLEMENTED says so.
func (s *Service) NotServed(ctx context.Context, err error, call func(context.Context, longrunningpb.OperationsClient) error) bool {
	if s.WrongPath(err) {
		return true
	}
	here, ok := notFound(err)
	if !ok || s.nowhere == nil {
		return false
	}
	there, ok := notFound(call(ctx, s.nowhere.client))
	return ok && s.nowhere.text(there) == s.nowhere.text(here)
}

// WrongPath reports whether err alone shows that no operations are served at the
// path of --url: nothing is there, or it goes on below that of a service, which
// takes the rest for the parent in a name. False over gRPC.
func (s *Service) WrongPath(err error) bool {
	if NoSuchPath(err) {
		return true
	}
	answer, ok := notFound(err)
	return ok && s.nowhere != nil && inName(strings.Trim(s.nowhere.instead, "/"), answer.GRPCStatus().Message())
}

// inName reports whether a message has a name that begins with the end of the
// prefix of paths, such as "nonsense/operations/x" for /v1/nonsense.
func inName(prefix, message string) bool {
	for rest, more := prefix, prefix != ""; more; _, rest, more = strings.Cut(rest, "/") {
		at := strings.Index(message, rest+"/")
		if at > 0 && strings.IndexByte(" \"'`", message[at-1]) >= 0 {
			return true
		}
	}
	return false
}

// text is what an answer says, whatever path it repeats.
func (n *nowhere) text(answer *lrohttp.Error) string {
	st := answer.GRPCStatus()
	return st.Code().String() + strings.NewReplacer(n.path, "", n.instead, "").Replace(st.Message())
}

// notFound returns the answer of HTTP status 404 that err is.
func notFound(err error) (*lrohttp.Error, bool) {
	answer, ok := errors.AsType[*lrohttp.Error](err)
	return answer, ok && answer.StatusCode == http.StatusNotFound
}
