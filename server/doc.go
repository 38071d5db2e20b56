// Package server runs long-running operations in a Go program and serves them
// as google.longrunning.Operations (AIP-151).
//
// A [Kind] is a type of operation: its name and its request, response and
// metadata messages. Declare each kind once, as a package-level variable; its
// name is stored with each operation and finds its handler after a restart:
//
//	var Export = server.Kind[*pb.ExportRequest, *pb.ExportResponse, *pb.ExportMetadata]{
//		Name: "export",
//	}
//
// A handler does the work. A [Server] joins kinds with an engine, which stores
// the operations, and serves them:
//
//	eng, err := sqlite.Open(ctx, "operations.db", nil)
//	srv, err := server.New(eng, server.Config{Parent: "projects/p/locations/l"},
//		Export.Handle(func(ctx context.Context, task *server.Task[*pb.ExportMetadata], req *pb.ExportRequest) (*pb.ExportResponse, error) {
//			...
//		}))
//	srv.Register(grpcServer)
//	err = srv.Serve(ctx, grpcServer, listener) // until ctx ends or something fails
//	err = errors.Join(err, eng.Close())
//
// An RPC method of the program starts an operation and returns it:
//
//	func (s *library) ExportBooks(ctx context.Context, req *pb.ExportRequest) (*longrunningpb.Operation, error) {
//		return Export.Start(ctx, s.operations, req, nil)
//	}
//
// # What is promised
//
// An operation that Start returned is durable: it runs even if the process
// dies. It runs at least once, from its last checkpoint, unless its kind is
// AtMostOnce. It ends exactly once, and its result never changes. Handlers must
// therefore be safe to run again; [Task.Checkpoint] returns what the previous
// attempt saved last.
//
// # The end of a handler's context
//
// [context.Cause] returns the reason: [ErrCancelRequested], [ErrDraining],
// [ErrLeaseLost], or [context.DeadlineExceeded] for [Kind].AttemptTimeout. A
// handler that returns the context's error then ends the operation as
// CANCELLED, hands it back to be run again, or ends it as DEADLINE_EXCEEDED. If
// it returns a response nevertheless, the operation succeeds.
//
// # Errors
//
// An error with a gRPC status becomes the operation's error, with its code,
// message and details; an ErrorInfo is added if it has none. Any other error
// becomes UNKNOWN with its text, as in a gRPC server, or DEADLINE_EXCEEDED if
// it wraps context.DeadlineExceeded; while the server drains, it hands the
// operation back instead. Set [Config].ErrorStatus if such texts are internal
// and not for callers. Every status, of operations and of calls, has one
// google.rpc.ErrorInfo (AIP-193).
package server
