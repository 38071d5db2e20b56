// Package sqlite is the engine on SQLite, embedded in the program: it keeps
// operations in one SQLite file and runs their handlers in the program that
// opens it. It needs no server and no C compiler.
//
//	eng, err := sqlite.Open(ctx, "operations.db", nil)
//	if err != nil { … }
//	defer eng.Close()
//	srv, err := server.New(eng, …)
//
// # Promises
//
// It keeps every promise of package engine, loss of power included: a call that
// has returned is on the disk, because the file is in WAL mode and every commit
// is synced (PRAGMA synchronous=FULL, and F_FULLFSYNC on darwin). Reported
// progress is visible at once, and stored at most every 100 ms; the latest
// progress may be lost with the process.
//
// If the store fails, the call returns an error that wraps
// [engine.ErrUnavailable] (or that the file is damaged), nothing has changed in
// memory, and the next call tries again.
//
// # One owner
//
// One engine owns a file at a time. It locks the database itself, so that
// others are kept out under every name of the file; the operating system
// releases the lock when the process dies. (The BSDs have no such lock. There
// the engine locks a file beside the database, whose name is that of the
// database and ".lock". If a second process opens the database nevertheless, it
// takes the database from the first.) So an operation that is RUNNING when the
// engine opens belongs to a dead process, and runs again at once, without
// waiting for a lease to end. The memory of the process needs no check against
// the file. A crash is counted for each operation that was running in the
// process, no matter which of them caused it.
//
// Each commit checks that the database and its log still have their names. If
// they were removed, renamed or replaced, or the database has another owner,
// the engine acknowledges no more writes: every call returns an error that
// wraps [engine.ErrUnavailable] with the reason, attempts end with
// [engine.ErrLeaseLost], and the reason is logged. Restart the process then. A
// file with several names (hard links) is not opened, because its log is found
// under only one of them.
//
// Put the file on a local disk: network file systems do not lock or sync
// reliably. Other programs may read it with SQLite's tools while it is in use
// (the columns are described in its schema), and must not write to it.
//
// # How it works
//
// One goroutine writes. It takes all queued changes, executes them in one
// transaction, commits with one sync, makes them visible in memory and answers
// their callers; meanwhile the next changes are queued. Claims of workers are
// changes like any other. Waiters, workers and timers are woken by that
// goroutine: nothing polls the database.
//
// All running operations are in memory, and as many of the others as
// [Options.CacheBytes] allows. PENDING operations that are not cached take a
// few bytes each.
package sqlite
