package lroext

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/googleapis/gax-go/v2"
	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/api/googleapi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/gaxcall"
	"github.com/go-lro/lro/internal/httpcall"
)

// maxBody is what is read of an answer, in bytes.
const maxBody = 64 << 20

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
	typ := none.ProtoReflect().Type()
	r, err := rolesOf(typ.Descriptor())
	if err != nil {
		return nil, fmt.Errorf("new service: %w", err)
	}
	base, err := url.Parse(baseURL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" || base.User != nil || base.Fragment != "" {
		return nil, errors.New("new service: the base URL is not of the form https://compute.googleapis.com/compute/v1")
	}
	if client == nil {
		client = http.DefaultClient
	}
	if client.CheckRedirect == nil {
		copied := *client
		copied.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		client = &copied
	}
	h := &caller{base: strings.TrimRight(base.String(), "/"), client: client, typ: typ}
	s := &service{}
	for _, fields := range [][]string{{projectField, zoneField}, {projectField, regionField}, {projectField}, {}} {
		sc := &scope{roles: r, transport: gaxcall.Transport{REST: true}, fields: fields}
		sc.get = h.state(http.MethodGet, "")
		if len(fields) > 0 {
			sc.wait = h.state(http.MethodPost, "/wait")
		}
		sc.delete = func(ctx context.Context, n name, opts []grpc.CallOption) error {
			_, err := h.do(ctx, http.MethodDelete, pathOf(n.path, n.id), queryOf(n.place), opts)
			return err
		}
		sc.list = h.list
		s.scopes = append(s.scopes, sc)
	}
	return s, nil
}

// caller makes the calls of REST.
type caller struct {
	base   string
	client *http.Client
	typ    protoreflect.MessageType // of operations
}

// unmarshal leaves out what the message has no field for, as Google's clients do.
var unmarshal = protojson.UnmarshalOptions{AllowPartial: true, DiscardUnknown: true}

// pathOf returns the path of an operation, or of the collection of operations.
func pathOf(place, id string) string {
	var b strings.Builder
	for s := range strings.SplitSeq(place, "/") {
		b.WriteString("/" + url.PathEscape(s))
	}
	b.WriteString("/operations")
	if id != "" {
		b.WriteString("/" + url.PathEscape(id))
	}
	return b.String()
}

func queryOf(p place) url.Values {
	q := url.Values{}
	if p.parent != "" {
		q.Set(parentParam, p.parent)
	}
	return q
}

// state returns the call of a method that returns an operation.
func (h *caller) state(verb, suffix string) call {
	return func(ctx context.Context, n name, opts []grpc.CallOption) (proto.Message, error) {
		body, err := h.do(ctx, verb, pathOf(n.path, n.id)+suffix, queryOf(n.place), opts)
		if err != nil {
			return nil, err
		}
		m := h.typ.New().Interface()
		return m, unmarshal.Unmarshal(body, m)
	}
}

// list returns a page.
func (h *caller) list(ctx context.Context, req listRequest, opts []grpc.CallOption) (listed, error) {
	q := queryOf(req.place)
	for param, value := range map[string]string{"filter": req.filter, "pageToken": req.token} {
		if value != "" {
			q.Set(param, value)
		}
	}
	if req.size > 0 {
		q.Set("maxResults", strconv.Itoa(req.size))
	}
	body, err := h.do(ctx, http.MethodGet, pathOf(req.path, ""), q, opts)
	if err != nil {
		return listed{}, err
	}
	return h.page(body)
}

// page reads the JSON of a list.
func (h *caller) page(body []byte) (listed, error) {
	var list struct {
		Items         []json.RawMessage `json:"items"`
		NextPageToken string            `json:"nextPageToken"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return listed{}, status.Errorf(codes.Internal, "the answer is no list: %v", err)
	}
	page := listed{next: list.NextPageToken}
	for _, item := range list.Items {
		m := h.typ.New().Interface()
		if err := unmarshal.Unmarshal(item, m); err != nil {
			return listed{}, err
		}
		page.operations = append(page.operations, m)
	}
	return page, nil
}

// do makes a call and returns the body of its answer.
func (h *caller) do(ctx context.Context, verb, path string, query url.Values, opts []grpc.CallOption) ([]byte, error) {
	target := h.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, verb, target, nil)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "make request: %v", err)
	}
	req.Header = gax.BuildHeaders(ctx, "accept", "application/json")
	// The metadata is there by now; what is left are the credentials of the call.
	if err := httpcall.OptionsOf(opts).Outgoing(metadata.NewOutgoingContext(ctx, nil), req.URL, req.Header); err != nil {
		return nil, err
	}
	if verb == http.MethodPost { // Wait: not sent, tells net/http that it may be repeated on a new connection
		req.Header["Idempotency-Key"] = []string{}
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxBody:
		return nil, status.Errorf(codes.OutOfRange, "answer is larger than %d bytes", maxBody)
	}
	gaxcall.SetHeader(opts, resp.Header)
	if err := googleapi.CheckResponseWithBody(resp, body); err != nil {
		if wrapped, ok := apierror.FromError(err); ok {
			return nil, wrapped
		}
		return nil, err
	}
	return body, nil
}
