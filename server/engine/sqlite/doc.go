// Package sqlite is the embedded engine: it keeps operations in one SQLite
// file and runs their handlers in the program that opens it. It needs no
// server and no C compiler.
//
//	eng, err := sqlite.Open(ctx, "operations.db", nil)
//	if err != nil { … }
//	defer eng.Close()
//	srv, err := server.New(eng, …)
//
// # Promises
//
// It keeps every promise of package engine, loss of power included: a call
// that has returned is on the disk, because the file is in WAL mode and every
// commit is synced (PRAGMA synchronous=FULL, and F_FULLFSYNC on darwin). What
// is reported as progress is shown at once, and persisted at most every 100 ms;
// the last of it may be lost with the process.
//
// When the store fails, the call returns an error that wraps
// [engine.ErrUnavailable] (or says that the file is damaged), nothing has
// changed in memory, and the next call tries again.
//
// # One owner
//
// One engine owns a file at a time. A lock on the database itself keeps others
// out under every name of the file; the operating system gives it back when the
// process dies. (The BSDs have no such lock. There a lock on a file beside the
// database, named like it with ".lock" behind, does this, and a second owner
// that gets in nevertheless takes the database from the first.) So an operation that is RUNNING when the
// engine opens belongs to a process that is dead, and is requeued at once,
// without waiting for a lease to end; and what is in memory needs no check
// against the file. A crash is counted for each operation that was running in
// the process, whichever of them has caused it.
//
// Each commit makes sure that the database and its log still have their names.
// When they were removed, renamed or replaced, or the database names another
// owner, the engine acknowledges nothing any more: every call returns an error
// that wraps [engine.ErrUnavailable] and says why, attempts end with
// [engine.ErrLeaseLost], and the log has it. The process must be restarted. A
// file with several names (hard links) is not opened, because its log is found
// under one of them only.
//
// Put the file on a local disk: network file systems do not lock or sync
// reliably. Other programs may read it with SQLite's tools while it is in use
// (the columns are described in its schema), and must not write to it.
//
// # How it works
//
// One goroutine writes. It takes all changes that wait, executes them in one
// transaction, commits with one sync, makes them visible in memory and answers
// their callers; meanwhile the next changes gather. Claims of workers are
// changes like any other. Waiters, workers and timers are woken by that
// goroutine: nothing polls the database.
//
// All operations that run are in memory, and of the others as many as
// [Options.CacheBytes] allows. PENDING operations that are not cached take a
// few bytes each.
package sqlite
