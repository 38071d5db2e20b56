package server

import (
	"fmt"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server/engine"
)

const (
	// defaultMaxOperation leaves room in the 4 MiB that gRPC clients accept by
	// default for what the server fills in.
	defaultMaxOperation = 7 << 19 // 3.5 MiB
	// maxListed is the largest operation that is listed as it is. It does not
	// depend on the configuration: a list is for every client.
	maxListed = 7 << 19
	// maxStatus is what an error may add to metadata of the greatest size.
	maxStatus = 64 << 10
)

// checkMetadata reports metadata that cannot be stored or served.
func (s *Server) checkMetadata(m *anypb.Any) error {
	return engine.Update{Metadata: m}.Check(s.config.MaxOperation)
}

// checkResult reports a response that cannot be served beside metadata of this
// size.
func (s *Server) checkResult(response *anypb.Any, metadata int) error {
	n := proto.Size(response)
	if n+metadata <= s.config.MaxOperation {
		return nil
	}
	return fmt.Errorf("response of %d bytes with metadata of %d: %w, the limit is %d together (server.Config.MaxOperation)",
		n, metadata, engine.ErrTooLarge, s.config.MaxOperation)
}

func (s *Server) tooLarge(err error) *spb.Status {
	return status.Convert(s.faults.make(fault{
		code: codes.ResourceExhausted, reason: reasonResultTooLarge, message: err.Error(),
	})).Proto()
}

// fitError shortens an error that is too large beside metadata of this size: it
// keeps the code and the beginning of the message. Nil stays nil.
func (s *Server) fitError(st *spb.Status, metadata int) *spb.Status {
	if n := proto.Size(st); n <= maxStatus || n+metadata <= s.config.MaxOperation {
		return st
	}
	return s.shortError(st)
}

func (s *Server) shortError(st *spb.Status) *spb.Status {
	return s.faults.complete(&spb.Status{Code: st.GetCode(), Message: shorten(st.GetMessage())}, "")
}

// listed is view for a list: what would not fit into a page is left out, first
// the metadata and then the result. A done operation never has none, since
// clients break on that.
func (s *Server) listed(rec *engine.Record) *longrunningpb.Operation {
	op := s.view(rec)
	if proto.Size(op) <= maxListed {
		return op
	}
	short := &longrunningpb.Operation{Name: op.GetName(), Done: op.GetDone(), Result: op.GetResult()}
	if rec.Metadata.MessageIs((*lropb.OperationMetadata)(nil)) {
		bare := *rec
		bare.Metadata = mustPack(&lropb.OperationMetadata{
			StatusMessage: fmt.Sprintf("the operation of %d bytes is too large for a list, get it by its name", proto.Size(op)),
		})
		short.Metadata = s.viewMetadata(&bare)
	}
	n := proto.Size(short)
	if n <= maxListed {
		return short
	}
	if st := op.GetError(); st != nil {
		short.Result = &longrunningpb.Operation_Error{Error: s.shortError(st)}
		return short
	}
	short.Result = &longrunningpb.Operation_Error{Error: s.tooLarge(fmt.Errorf(
		"the operation succeeded, but its response of %d bytes is too large for a list: get it by its name", n))}
	return short
}
