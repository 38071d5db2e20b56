// Package postgres is the engine for the PostgreSQL that a team already runs:
// it keeps operations in a schema of their own, and any number of processes
// serve them and run their handlers.
//
//	pool, err := pgxpool.New(ctx, "postgres://…")
//	if err != nil { … }
//	defer pool.Close()
//	if _, _, err := postgres.Migrate(ctx, pool, ""); err != nil { … }
//	eng, err := postgres.Open(ctx, pool, nil)
//	if err != nil { … }
//	defer eng.Close()
//	srv, err := server.New(eng, server.Config{PageKey: eng.PageKey(), …}, …)
//
// # Promises
//
// It keeps every promise of package engine, as durably as the database commits.
// A process that runs operations has one lease, renewed in one statement. When
// it has ended, another process takes its operations over; the old one has ended
// its attempts by then, and whatever they still write is refused by their fence.
// All times that decide are the database's. What is reported as progress is shown
// at once by the process that runs the attempt, and by others when it is stored,
// at most 100 ms later.
//
// When the database is away, calls return an error that wraps
// [engine.ErrUnavailable]. A transaction that lost against another one, by a
// deadlock or a serialization failure, is repeated a few times.
//
// # Transactions of your own
//
// An operation can be started in the transaction of its caller, with the ctx
// of [WithTx] or [WithSQLTx]: it exists if and only if the transaction commits.
// In the same way a handler can save its checkpoint (server.Task.Save) or end its
// operation (server.Kind.Complete) in the transaction that did its work, so that
// effects on the same database happen exactly once.
//
// # Schema
//
// [Migrate] and the command "lro migrate" make the schema and bring it up to
// date; [Migrations] has the SQL for another tool. Open needs no right to do so:
// the first migration lists the rights that a program needs. A schema says from
// which version on programs may use it, so that old and new programs can run side
// by side while a change is rolled out.
//
// # Connections
//
// The engine uses the pool that it is given, and besides it up to five
// connections of its own with the same settings: for the lease and the like, which
// must not wait for a pool that is used up, and for LISTEN.
//
// Notifications are sent after the commit, a few lines for many changes. They only
// hasten what polling finds: every [Options.Poll] without LISTEN, else every
// second. A LISTEN that is dead without an error is found by a ping from another
// connection.
//
// Behind PgBouncer in transaction mode set the pool's DefaultQueryExecMode to
// cache_describe or exec (in the URL: default_query_exec_mode=cache_describe), and
// give [Options.Listen] a connection to PostgreSQL itself, or set
// [Options.PollOnly]. All statements name the schema, and no setting outlives a
// transaction.
package postgres
