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
// The namespace must exist, and both options must name it. The example of this
// package is a whole program with two roles, one that answers callers and one
// that runs operations.
//
// # Promises
//
// It keeps the promises of package engine; docs/engines.md compares it with the
// engine on SQLite, promise by promise. In short: an operation that is not done
// cannot be deleted; the namespace decides how long operations that are done
// are kept; a list may miss the latest changes; and operations are claimed
// about in the order in which they were started, not exactly.
//
// # Many processes
//
// Engines keep no state of their own, so any number of them may be open on one
// [Options.TaskQueue], some that only serve and some that only work. When a
// process dies, each operation that it ran is given to another one when its
// lease has ended ([Options.Lease]), from its last checkpoint; if an attempt
// was suspended for longer than its lease and resumes, its context ends, and
// everything that it still writes is refused. Servers behind one address need
// the same server.Config.PageKey, or a list that begins at one cannot be
// continued at another.
//
// # How it works
//
// The activity's ID is the last segment of the operation's name, its type the
// kind, and each kind has a task queue of its own, so that operations of a kind
// without a worker wait. A heartbeat carries metadata, checkpoint and the
// lease; it is sent by the engine itself, not by the SDK's worker, because a
// checkpoint must be stored before Save returns and the SDK holds heartbeats
// back. Each attempt keeps a call to Temporal open for requests, so that a
// cancel reaches it within a fraction of a second.
package temporal
