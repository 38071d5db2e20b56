package reflect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

const (
	// timeout bounds one question: types are a convenience.
	timeout = 5 * time.Second
	// maxFiles bounds what one message may need, against a server that makes
	// dependencies up.
	maxFiles = 2000
)

// Client asks one server. It is safe for concurrent use.
type Client struct {
	conn grpc.ClientConnInterface
	gate *Gate
}

// New returns a client of the server at the other end of conn, which asks only
// while no call passes the gate.
func New(conn grpc.ClientConnInterface, gate *Gate) *Client { return &Client{conn, gate} }

// Files returns the files that define a symbol, with their dependencies. It is
// [protoregistry.NotFound] when the server does not know it.
func (c *Client) Files(ctx context.Context, symbol protoreflect.FullName) (*descriptorpb.FileDescriptorSet, error) {
	var set *descriptorpb.FileDescriptorSet
	err := c.session(ctx, func(s stream) (err error) {
		set, err = collect(s, symbol)
		return err
	})
	return set, err
}

// Services returns the full names of the services that the server has.
func (c *Client) Services(ctx context.Context) ([]string, error) {
	var names []string
	err := c.session(ctx, func(s stream) error {
		resp, err := s(&v1.ServerReflectionRequest{MessageRequest: &v1.ServerReflectionRequest_ListServices{ListServices: "*"}})
		for _, service := range resp.GetListServicesResponse().GetService() {
			names = append(names, service.GetName())
		}
		return err
	})
	return names, err
}

// stream asks one question of an open stream.
type stream func(*v1.ServerReflectionRequest) (*v1.ServerReflectionResponse, error)

// session opens a stream, lets ask use it, and returns when it has ended. A
// server that has only the first version of the protocol is called with that.
func (c *Client) session(ctx context.Context, ask func(stream) error) error {
	if err := c.gate.shut(ctx); err != nil {
		return err
	}
	defer c.gate.open()
	err := c.open(ctx, v1.ServerReflection_ServerReflectionInfo_FullMethodName, ask)
	if status.Code(err) == codes.Unimplemented {
		err = c.open(ctx, firstVersion, ask)
	}
	return err
}

// firstVersion is the method in the first version of the protocol, whose
// messages are the same on the wire.
const firstVersion = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

var streamDesc = grpc.StreamDesc{StreamName: "ServerReflectionInfo", ServerStreams: true, ClientStreams: true}

func (c *Client) open(ctx context.Context, method string, ask func(stream) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s, err := c.conn.NewStream(ctx, &streamDesc, method)
	if err != nil {
		return err
	}
	err = ask(func(req *v1.ServerReflectionRequest) (*v1.ServerReflectionResponse, error) {
		if err := s.SendMsg(req); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		resp := &v1.ServerReflectionResponse{}
		if err := s.RecvMsg(resp); err != nil {
			return nil, err
		}
		if e := resp.GetErrorResponse(); e != nil {
			if codes.Code(e.GetErrorCode()) == codes.NotFound {
				return nil, protoregistry.NotFound
			}
			return nil, fmt.Errorf("server reflection: %v: %s", codes.Code(e.GetErrorCode()), e.GetErrorMessage())
		}
		return resp, nil
	})
	if closeErr := s.CloseSend(); closeErr != nil {
		return errors.Join(err, closeErr)
	}
	// Until the server has ended the stream too.
	for s.RecvMsg(&v1.ServerReflectionResponse{}) == nil {
	}
	return err
}

// collect requests the files that define symbol and for all they import.
func collect(ask stream, symbol protoreflect.FullName) (*descriptorpb.FileDescriptorSet, error) {
	set := &descriptorpb.FileDescriptorSet{}
	known := map[string]bool{}
	take := func(resp *v1.ServerReflectionResponse) (missing []string, err error) {
		for _, text := range resp.GetFileDescriptorResponse().GetFileDescriptorProto() {
			file := &descriptorpb.FileDescriptorProto{}
			if err := proto.Unmarshal(text, file); err != nil {
				return nil, fmt.Errorf("server reflection: decode file: %w", err)
			}
			if known[file.GetName()] {
				continue
			}
			known[file.GetName()] = true
			set.File = append(set.File, file)
			missing = append(missing, file.GetDependency()...)
		}
		return missing, nil
	}
	resp, err := ask(&v1.ServerReflectionRequest{
		MessageRequest: &v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: string(symbol)},
	})
	if err != nil {
		return nil, err
	}
	queue, err := take(resp)
	for err == nil && len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if known[name] {
			continue
		}
		if len(set.File) >= maxFiles {
			return nil, fmt.Errorf("server reflection: %q needs more than %d files", symbol, maxFiles)
		}
		resp, err = ask(&v1.ServerReflectionRequest{
			MessageRequest: &v1.ServerReflectionRequest_FileByFilename{FileByFilename: name},
		})
		if errors.Is(err, protoregistry.NotFound) {
			known[name], err = true, nil // a message may decode without it
			continue
		}
		if err == nil {
			var more []string
			more, err = take(resp)
			queue = append(queue, more...)
			known[name] = true
		}
	}
	return set, err
}
