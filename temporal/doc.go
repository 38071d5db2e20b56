// Package temporal is the engine on Temporal: it keeps operations in a Temporal
// service, as standalone activities, and runs their handlers on any number of
// machines.
//
//	c, err := client.DialContext(ctx, client.Options{HostPort: "temporal:7233", Namespace: "images"})
//	if err != nil { … } // also when Temporal is down: start again later
//	defer c.Close()
//	eng, err := temporal.Open(ctx, c, &temporal.Options{TaskQueue: "images", Namespace: "images"})
//	if err != nil { … }
//	srv, err := server.New(eng, server.Config{PageKey: secret}, …)
//	…
//	return errors.Join(srv.Serve(ctx, grpcServer, listener), eng.Close())
//
// The namespace has to be there, and both options have to name it. The example
// of this package is a whole program with two roles, one that answers callers
// and one that runs operations.
//
// # Promises
//
// It keeps the promises of package engine; what an engine on one file can do
// and this one cannot is told promise by promise in docs/engines.md. In short:
// an operation that has not ended cannot be deleted; operations that are done stay as
// long as the namespace retains it; a list may miss the latest changes; and
// operations are claimed about in the order in which they were started, not
// exactly.
//
// # Many processes
//
// An engine holds nothing that another one would need, so any number of them
// may be open on one [Options.TaskQueue], some that only serve and some that
// only work. When a process dies, each operation that it ran is given to
// another one when its lease has ended ([Options.Lease]), from its last
// checkpoint; an attempt that was stopped for longer than its lease and goes on
// is told so, and whatever it still writes is refused. Servers that answer for
// each other need one server.Config.PageKey, or a list that begins at one
// cannot be continued at another.
//
// # How it works
//
// The activity's ID is the last segment of the operation's name, its type the
// kind, and each kind has a task queue of its own, so that operations whose
// kind nobody serves wait. A heartbeat carries metadata, checkpoint and the
// lease; it is sent by the engine itself, not by the SDK's worker, because a
// checkpoint must be stored before Save returns and the SDK holds heartbeats
// back. Each attempt waits at Temporal for what is asked of it, so that a
// cancel reaches it within a fraction of a second.
package temporal
