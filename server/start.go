package server

import (
	"context"
	"fmt"
	"reflect"
	"unicode"
	"unicode/utf8"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server/engine"
)

// maxRequestID bounds request IDs, in bytes. A UUID has 36.
const maxRequestID = 256

// StartOptions are the options of one start.
type StartOptions struct {
	// Parent is the resource the operation is under. Empty means
	// [Config].Parent.
	Parent string
	// RequestID makes the start idempotent (AIP-155): another start of the same
	// caller with the same ID, kind, parent and request returns the first one's
	// operation, in its current state. With another request it is
	// INVALID_ARGUMENT. Empty means that each start starts an operation.
	RequestID string
	// Caller is the caller that RequestID belongs to. Empty means the result of
	// [Config].Caller.
	Caller string
	// Metadata is shown until the handler reports. It must be of the kind's
	// metadata type. Nil means an empty message where that type is
	// lropb.OperationMetadata, and none otherwise.
	Metadata proto.Message
	// ValidateOnly checks the request and starts nothing: the result is a done
	// operation without a name, with an empty response (AIP-163).
	ValidateOnly bool
}

// Start starts an operation and returns it once it is durable. A nil request is
// an empty one, nil options are the zero options. Its errors are gRPC statuses,
// which an RPC method can return unchanged. After an error no operation was
// started, except that after UNAVAILABLE, CANCELLED and DEADLINE_EXCEEDED one
// may have been: start again with the same request ID. You may modify the
// returned message. The kind must be registered with s.
func (k Kind[Req, Resp, M]) Start(ctx context.Context, s *Server, req Req, opts *StartOptions) (*longrunningpb.Operation, error) {
	registered, err := k.of(s)
	if err != nil {
		return nil, s.unregistered(ctx, k.Name, err)
	}
	if isNil(req) {
		req = newMessage[Req]()
	}
	packed, err := pack(req)
	if err != nil {
		return nil, s.faults.invalid("", reasonInvalidRequest, err.Error(), "encode request: %v", err)
	}
	if opts == nil {
		opts = &StartOptions{}
	}
	return s.start(ctx, registered, packed, *opts)
}

// of returns the kind as it is registered with s.
func (k Kind[Req, Resp, M]) of(s *Server) (*kind, error) {
	registered := s.kinds[k.Name]
	if registered == nil {
		return nil, fmt.Errorf("kind %q is not registered", k.Name)
	}
	if t := reflect.TypeFor[Kind[Req, Resp, M]](); registered.typed != t {
		return nil, fmt.Errorf("kind %q is registered as %s, not as %s", k.Name, registered.typed, t)
	}
	return registered, nil
}

// unregistered is the error of a program that starts a kind without registering
// it. Callers need not repeat the call, as they would after INTERNAL.
func (s *Server) unregistered(ctx context.Context, kind string, err error) error {
	s.logger.ErrorContext(ctx, "kind cannot be started", "kind", kind, "error", err)
	return hidden{s.faults.make(fault{
		code: codes.Unimplemented, reason: reasonUnknownKind,
		message: fmt.Sprintf("operations of kind %q are not served here", kind),
		values:  map[string]string{"kind": kind},
	}), err}
}

func (s *Server) start(ctx context.Context, k *kind, req *anypb.Any, opts StartOptions) (*longrunningpb.Operation, error) {
	op, err := s.tryStart(ctx, k, req, opts)
	if !opts.ValidateOnly {
		s.observeStart(ctx, k.name, err)
	}
	return op, err
}

func (s *Server) tryStart(ctx context.Context, k *kind, req *anypb.Any, opts StartOptions) (*longrunningpb.Operation, error) {
	spec, err := s.spec(ctx, k, opts)
	if err != nil {
		return nil, err
	}
	spec.Request, err = k.accept(ctx, req)
	switch {
	case err != nil && hasStatus(err):
		return nil, s.faults.completed(err, reasonInvalidRequest)
	case err != nil:
		return nil, s.faults.invalid("", reasonInvalidRequest, err.Error(), "%v", err)
	}
	if opts.ValidateOnly {
		return &longrunningpb.Operation{
			Done:   true,
			Result: &longrunningpb.Operation_Response{Response: proto.CloneOf(k.types.emptyResponse)},
		}, nil
	}
	rec, err := s.engine.Start(ctx, spec)
	if err != nil {
		return nil, s.engineError(ctx, "", err)
	}
	return proto.CloneOf(s.view(rec)), nil
}

func (s *Server) spec(ctx context.Context, k *kind, opts StartOptions) (engine.Spec, error) {
	spec := engine.Spec{
		Kind: k.name, Parent: opts.Parent,
		RequestID: opts.RequestID, Caller: opts.Caller,
		AtMostOnce: k.atMostOnce, CrashLimit: k.crashLimit, Retention: k.retention,
		External: k.external, Trace: s.trace(ctx),
	}
	if spec.External {
		spec.LeaseFor = k.lease
	}
	if spec.Parent == "" {
		spec.Parent = s.config.Parent
	}
	if spec.Parent != "" {
		if err := checkStartParent(spec.Parent); err != nil {
			return engine.Spec{}, s.faults.invalid("parent", reasonInvalidParent, spec.Parent, "parent %.100q %v", spec.Parent, err)
		}
	}
	if !validRequestID(spec.RequestID) {
		return engine.Spec{}, s.faults.invalid("request_id", reasonInvalidRequestID, spec.RequestID,
			"request_id is longer than %d bytes or not printable", maxRequestID)
	}
	if spec.Caller == "" && s.config.Caller != nil {
		spec.Caller = s.config.Caller(ctx)
	}
	var err error
	if spec.Metadata, err = s.initialMetadata(k, opts.Metadata); err != nil {
		return engine.Spec{}, err
	}
	return spec, nil
}

func (s *Server) initialMetadata(k *kind, m proto.Message) (*anypb.Any, error) {
	if m == nil {
		if k.types.emptyMetadata.MessageIs((*lropb.OperationMetadata)(nil)) {
			return k.types.emptyMetadata, nil
		}
		return nil, nil
	}
	name := m.ProtoReflect().Descriptor().FullName()
	if name != k.types.metadata.FullName() && !isAny(k.types.metadata) {
		return nil, s.faults.make(fault{
			code: codes.Internal, reason: reasonInternal,
			message: fmt.Sprintf("metadata of kind %q is a %s", k.name, name),
			values:  map[string]string{"kind": k.name, "type": string(name)},
		})
	}
	packed, err := pack(m)
	if err != nil {
		return nil, s.faults.invalid("", reasonInvalidRequest, err.Error(), "encode metadata: %v", err)
	}
	if err := s.checkMetadata(packed); err != nil {
		return nil, s.faults.invalid("", reasonTooLarge, err.Error(), "%v", err)
	}
	return packed, nil
}

// trace is the carrier stored with an operation that is started with ctx.
func (s *Server) trace(ctx context.Context) map[string]string {
	if s.config.Observer.Inject == nil {
		return nil
	}
	carrier := map[string]string{}
	s.config.Observer.Inject(ctx, carrier)
	if len(carrier) == 0 {
		return nil
	}
	return carrier
}

func validRequestID(id string) bool {
	if len(id) > maxRequestID || !utf8.ValidString(id) {
		return false
	}
	for _, r := range id {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
