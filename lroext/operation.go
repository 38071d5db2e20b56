package lroext

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/extop"
)

// Generated is what methods of generated clients return for an extended
// operation, such as a *compute.Operation. Go infers Op, the message.
type Generated[Op proto.Message] interface {
	// Proto returns the latest known state.
	Proto() Op
	Poll(context.Context, ...gax.CallOption) error
}

// Option adds what the message of an operation does not have: where it is.
type Option func(*place) error

// place is where an operation is.
type place extop.Place

// In sets the scope of an operation, such as "projects/p/zones/z", for messages
// without links. It takes precedence over links.
func In(scope string) Option {
	return func(to *place) error {
		p := (*extop.Place)(to)
		parent := p.Parent
		given, err := extop.ParsePlace(scope)
		if err != nil {
			return err
		}
		if *p = given; p.Parent == "" {
			*p = p.Under(parent)
		}
		return nil
	}
}

// InParent sets the organization or folder of an operation in the global scope
// of organizations, such as "organizations/1". Compute needs it to return the
// operation, and neither the message nor its links have it. The operation's name
// and token carry it. It has no effect on operations in projects.
func InParent(parent string) Option {
	return func(to *place) error {
		p := (*extop.Place)(to)
		*p = p.Under(parent)
		return nil
	}
}

// StartedBy sets the scope of an operation from the request that started it: from
// the fields of req with (google.cloud.operation_request_field), such as project
// and zone, or parent_id for organizations.
func StartedBy(req proto.Message) Option {
	return func(to *place) error {
		p := (*extop.Place)(to)
		at, ok := extop.PlaceWith(pollingFields(req))
		if !ok {
			return fmt.Errorf("the request %T does not say where the operation is", req)
		}
		*p = at
		return nil
	}
}

// startedBy adds what req says and the links of an operation do not.
func startedBy(req proto.Message) Option {
	return func(to *place) error {
		p := (*extop.Place)(to)
		at, ok := extop.PlaceWith(pollingFields(req))
		switch {
		case !ok:
		case p.Path == "":
			*p = at
		case p.Parent == "":
			*p = p.Under(at.Parent)
		}
		return nil
	}
}

// pollingFields returns the fields of a polling request that the request which
// started the operation has.
func pollingFields(req proto.Message) map[string]string {
	fields := map[string]string{}
	if req == nil {
		return fields
	}
	m := req.ProtoReflect()
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		if to := extop.OptionText(f, extop.OperationRequestField); to != "" && f.Kind() == protoreflect.StringKind && !f.IsList() {
			fields[to] = m.Get(f).String()
		}
	}
	return fields
}

// Operation makes an operation of what a generated method returned, whose result
// and metadata are the operation's own message:
//
//	started, err := instances.Insert(ctx, req) // a *compute.Operation
//	...
//	op, err := lroext.Operation(client, started)
//
// Its name is that of its selfLink, else it is made of its zone or region and
// of opts. c must be a client of the same service, such as one of [Service] or
// [NewHTTPService]. The operation's method is the one that [MethodOf] returns.
//
// Operation makes no call, and op is not needed afterwards. It fails if op is
// nil, if its message lacks the annotations of an extended operation, and if
// neither its links nor opts say where it is.
func Operation[Op proto.Message](c *lro.Client, op Generated[Op], opts ...Option) (*lro.Operation[Op, Op], error) {
	p, err := Proto(op, opts...)
	if err != nil {
		return nil, err
	}
	return MethodOf(op.Proto()).Wrap(c, p)
}

// Wait waits for an operation that a generated method returned and returns its
// last state. It calls [Operation] and [lro.Operation.Wait], in place of the
// generated op.Wait(ctx). Operations without links, and those of organizations,
// need Operation with its options.
func Wait[Op proto.Message](ctx context.Context, c *lro.Client, op Generated[Op], opts ...lro.WaitOption) (Op, error) {
	o, err := Operation(c, op)
	if err != nil {
		var none Op
		return none, err
	}
	return o.Wait(ctx, opts...)
}

// Resume makes an operation of its selfLink, its name (see [Name]) or its token.
// It makes no call. Op is the message, such as *computepb.Operation. Operations
// of organizations need a name or token, since their links lack the parent.
func Resume[Op proto.Message](c *lro.Client, link string) (*lro.Operation[Op, Op], error) {
	if !strings.HasPrefix(link, tokenPrefix) {
		n, err := extop.ParseName(link)
		if err != nil {
			return nil, fmt.Errorf("resume %w", err)
		}
		link = n.String()
	}
	return lro.Method[Op, Op]{}.Resume(c, link)
}

// tokenPrefix begins the tokens of package lro, and no name of an operation.
const tokenPrefix = "lro1_"

// Proto returns what a generated method returned as a google.longrunning
// operation, which is what the function given to [lro.Method.Start] returns. It
// makes no call. See [Operation] for opts and errors.
func Proto[Op proto.Message](op Generated[Op], opts ...Option) (*longrunningpb.Operation, error) {
	m, r, err := messageOf(op)
	if err != nil {
		return nil, err
	}
	n, err := nameOf(r, m, opts)
	if err != nil {
		return nil, fmt.Errorf("wrap extended operation: %w", err)
	}
	return r.Operation(n.String(), m.Interface())
}

// messageOf returns the message of a generated operation.
func messageOf[Op proto.Message](op Generated[Op]) (protoreflect.Message, extop.Roles, error) {
	if v := reflect.ValueOf(op); op == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, extop.Roles{}, errors.New("wrap extended operation: it is nil")
	}
	m := op.Proto().ProtoReflect()
	r, err := extop.RolesOf(m.Descriptor())
	if err == nil && !m.IsValid() {
		err = errors.New("its message is nil")
	}
	if err != nil {
		return nil, r, fmt.Errorf("wrap extended operation: %w", err)
	}
	return m, r, nil
}

// nameOf returns the name of an operation by its links and what opts say.
func nameOf(r extop.Roles, m protoreflect.Message, opts []Option) (extop.Name, error) {
	n := extop.Name{ID: m.Get(r.Name).String()}
	if link := extop.Text(m, "self_link"); link != "" {
		linked, err := extop.ParseName(link)
		if err != nil {
			return extop.Name{}, err
		}
		n.Place = linked.Place
	} else {
		for _, field := range []protoreflect.Name{"zone", "region"} {
			if at, err := extop.ParsePlace(extop.Text(m, field)); err == nil {
				n.Place = at
			}
		}
	}
	for _, opt := range opts {
		if err := opt((*place)(&n.Place)); err != nil {
			return extop.Name{}, err
		}
	}
	switch {
	case n.ID == "":
		return extop.Name{}, errors.New("it has no name")
	case n.Path == "":
		return extop.Name{}, fmt.Errorf("operation %q has no links that say where it is: give lroext.In or lroext.StartedBy", n.ID)
	}
	return n, nil
}

// MethodOf returns the method of operations like op. Its name is that of the RPC,
// such as "google.cloud.compute.v1.Instances.Insert": the one in the file of the
// message that matches the operation's type ("insert") and the collection of its
// target ("instances"). It is empty if there is none. A client learns how long
// operations take by the name of their method.
func MethodOf[Op proto.Message](op Op) lro.Method[Op, Op] {
	return lro.Method[Op, Op]{Name: rpcOf(op.ProtoReflect())}
}

func rpcOf(m protoreflect.Message) string {
	verb, target := extop.Text(m, "operation_type"), strings.Split(extop.Text(m, "target_link"), "/")
	at := len(target) - 2 // the collection
	if at < 0 || verb == "" {
		return ""
	}
	// Collections in two scopes have two services, such as Disks and RegionDisks.
	names := []string{target[at]}
	switch {
	case at >= 1 && target[at-1] == "global":
		names = []string{"Global" + target[at], target[at]}
	case at >= 2 && target[at-2] == "regions":
		names = []string{"Region" + target[at], target[at]}
	}
	for _, name := range names {
		for rpc := range rpcsOf(m.Descriptor()) {
			if strings.EqualFold(string(rpc.Parent().Name()), name) && strings.EqualFold(string(rpc.Name()), verb) && rpc.Output() == m.Descriptor() {
				return string(rpc.FullName())
			}
		}
	}
	return ""
}

// rpcsOf iterates over the methods that are declared beside a message.
func rpcsOf(md protoreflect.MessageDescriptor) iter.Seq[protoreflect.MethodDescriptor] {
	return func(yield func(protoreflect.MethodDescriptor) bool) {
		services := md.ParentFile().Services()
		for i := range services.Len() {
			methods := services.Get(i).Methods()
			for j := range methods.Len() {
				if !yield(methods.Get(j)) {
					return
				}
			}
		}
	}
}
