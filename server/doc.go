// Package server runs long-running operations in a Go program and serves them
// as google.longrunning.Operations (AIP-151).
//
// A [Kind] is a type of operation: its name and the messages it takes, returns
// and reports. It is declared once, as a package-level variable, so that
// whatever survives a restart has a name:
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
// An operation that Start returned is durable: it is found and run after the
// process has died. It is run at least once, from its last checkpoint, unless
// its kind asks for at most once. It ends exactly once, and its result never
// changes. Handlers must therefore be safe to run again; [Task.Checkpoint]
// returns what the previous attempt saved last.
//
// # The end of a handler's context
//
// [context.Cause] tells why: [ErrCancelRequested], [ErrDraining],
// [ErrLeaseLost], or [context.DeadlineExceeded] for [Kind].AttemptTimeout. A handler
// that returns the context's error then ends the operation as CANCELLED, hands
// it back to be run again, or ends it as DEADLINE_EXCEEDED. One that finishes
// all the same and returns a response succeeds.
//
// # Errors
//
// An error that carries a gRPC status becomes the operation's error as it is.
// Any other becomes UNKNOWN with its text, as it would in a gRPC server;
// [Config].ErrorStatus changes that for programs whose errors are internal and not
// for callers. Every status, whether of an operation or of a call, has one
// google.rpc.ErrorInfo (AIP-193).
package server
