package extop

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/httpcall"
	"github.com/go-lro/lro/internal/httperror"
)

const (
	// maxBody is what is read of an answer, in bytes.
	maxBody = 64 << 20
	// routingHeader is for gRPC (AIP-4222): over REST the path says the same.
	routingHeader = "x-goog-request-params"
)

// NewHTTPService makes a service that calls Compute's REST; see
// lroext.NewHTTPService.
func NewHTTPService(typ protoreflect.MessageType, baseURL string, client *http.Client) (lro.Service, error) {
	r, err := RolesOf(typ.Descriptor())
	if err != nil {
		return nil, fmt.Errorf("new service: %w", err)
	}
	base, err := url.Parse(baseURL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" || base.User != nil || base.Fragment != "" {
		return nil, errors.New("new service: the base URL is not of the form https://compute.googleapis.com/compute/v1")
	}
	client = cmp.Or(client, http.DefaultClient)
	if client.CheckRedirect == nil {
		copied := *client
		copied.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		client = &copied
	}
	h := &caller{base: strings.TrimRight(base.String(), "/"), client: client, typ: typ}
	s := &service{}
	for _, fields := range [][]string{{projectField, zoneField}, {projectField, regionField}, {projectField}, {}} {
		sc := &Scope{Roles: r, Fields: fields, Outgoing: outgoing, Failure: failureOf, List: h.list, Aggregated: h.list}
		sc.Get = h.state(http.MethodGet, "")
		if len(fields) > 0 {
			sc.Wait = h.state(http.MethodPost, "/wait")
		}
		sc.Delete = func(ctx context.Context, n Name, opts []grpc.CallOption) error {
			_, err := h.do(ctx, http.MethodDelete, pathOf(n.Path, n.ID), queryOf(n.Place), opts)
			return err
		}
		s.scopes = append(s.scopes, sc)
	}
	return s, nil
}

func outgoing(ctx context.Context, _ string) context.Context {
	md, ok := metadata.FromOutgoingContext(ctx) // a copy
	if !ok || md[routingHeader] == nil {
		return ctx
	}
	delete(md, routingHeader)
	return metadata.NewOutgoingContext(ctx, md)
}

// failureOf gives the errors of a call a status: there was no whole answer, or
// not one of Compute.
func failureOf(err error, opts []grpc.CallOption) error {
	if errors.Is(err, proto.Error) {
		return httperror.WithStatus(err, status.New(codes.Internal, err.Error()))
	}
	return httperror.Failure(err, opts)
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

func queryOf(p Place) url.Values {
	q := url.Values{}
	if p.Parent != "" {
		q.Set(parentParam, p.Parent)
	}
	return q
}

// state returns the call of a method that returns an operation.
func (h *caller) state(verb, suffix string) Call {
	return func(ctx context.Context, n Name, opts []grpc.CallOption) (proto.Message, error) {
		body, err := h.do(ctx, verb, pathOf(n.Path, n.ID)+suffix, queryOf(n.Place), opts)
		if err != nil {
			return nil, err
		}
		m := h.typ.New().Interface()
		return m, unmarshal.Unmarshal(body, m)
	}
}

// list returns a page of the operations of a scope or of a project.
func (h *caller) list(ctx context.Context, req ListRequest, opts []grpc.CallOption) (Page, error) {
	q := queryOf(req.Place)
	for param, value := range map[string]string{"filter": req.Filter, "pageToken": req.Token} {
		if value != "" {
			q.Set(param, value)
		}
	}
	if req.Size > 0 {
		q.Set("maxResults", strconv.Itoa(req.Size))
	}
	body, err := h.do(ctx, http.MethodGet, pathOf(req.Path, ""), q, opts)
	if err != nil {
		return Page{}, err
	}
	return h.page(body, req.Place)
}

// page reads the JSON of a list: its items are operations, or by scope, such as
// "zones/z", the operations there.
func (h *caller) page(body []byte, p Place) (page Page, err error) {
	var list struct {
		Items         json.RawMessage `json:"items"`
		NextPageToken string          `json:"nextPageToken"`
	}
	var operations []json.RawMessage
	var scopes map[string]struct {
		Operations []json.RawMessage `json:"operations"`
	}
	err = json.Unmarshal(body, &list)
	switch {
	case err != nil || list.Items == nil:
	case p.aggregated():
		err = json.Unmarshal(list.Items, &scopes)
	default:
		err = json.Unmarshal(list.Items, &operations)
	}
	if err != nil {
		return Page{}, status.Errorf(codes.Internal, "the answer is no list: %v", err)
	}
	if page.Items, err = h.items(nil, p, operations); err != nil {
		return Page{}, err
	}
	for _, key := range slices.Sorted(maps.Keys(scopes)) {
		within, err := p.Within(key)
		if err != nil {
			return Page{}, err
		}
		if page.Items, err = h.items(page.Items, within, scopes[key].Operations); err != nil {
			return Page{}, err
		}
	}
	page.Next = list.NextPageToken
	return page, nil
}

// items adds the operations of a place.
func (h *caller) items(to []Item, p Place, operations []json.RawMessage) ([]Item, error) {
	for _, text := range operations {
		m := h.typ.New().Interface()
		if err := unmarshal.Unmarshal(text, m); err != nil {
			return nil, err
		}
		to = append(to, Item{p, m})
	}
	return to, nil
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
	options := httpcall.OptionsOf(opts)
	if err := options.Outgoing(ctx, req.URL, req.Header); err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	if verb == http.MethodPost { // Wait: not sent, tells net/http that it may be repeated on a new connection
		req.Header["Idempotency-Key"] = []string{}
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	options.Received(resp.Header, nil)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read answer: %w", err)
	case len(body) > maxBody:
		return nil, status.Errorf(codes.OutOfRange, "answer is larger than %d bytes", maxBody)
	case resp.StatusCode < 200 || resp.StatusCode >= 300:
		return nil, httperror.NewAnswer(resp.StatusCode, body)
	}
	return body, nil
}
