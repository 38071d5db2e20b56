// Package engine is the contract between package server, which speaks
// google.longrunning.Operations, and the engines that store operations and run
// their handlers. It holds no implementation: server/engine/sqlite keeps
// operations in one file, server/engine/postgres in a PostgreSQL database, the
// module temporal in a Temporal service, package enginekit is what they share, and package enginetest is the
// one suite that each of them passes.
//
// Programs that serve operations do not use this package; they open an engine
// and pass it to server.New. Read it to write an engine, or to know the
// guarantees:
//
//   - Durable: what Start, Attempt.Save, Cancel, Delete, Complete and Fail
//     acknowledged survives the death of the process, and on engines that say
//     so a loss of power.
//   - At least once: an operation whose process died runs again from its last
//     checkpoint, unless [Spec.AtMostOnce] is set, which ends it as ABORTED.
//   - One end: an operation reaches exactly one terminal state, and its
//     response or error never changes afterwards.
//   - Fenced: every write of an attempt carries the fence it was claimed with.
//     Once another attempt was claimed, or the operation has ended, such a
//     write is refused with [ErrFenced] and changes nothing.
//   - Stable order: [Engine.List] goes from the newest operation to the
//     oldest; an operation started between two pages never shifts the pages
//     that follow.
//
// # Limits
//
// Every engine takes what is within the constants [MaxKind] to [MaxRetention].
// The sizes of messages are limited by each engine. What enters an engine goes
// through the Check methods of [Spec], [Update], [Completion], [Failure] and
// [Outcome], so that whatever was accepted can be stored and read again.
//
// # Stability
//
// This package may change in a minor release of the module, with a line in the
// changelog, for as long as the module is before version 1: methods may be
// added to [Engine] and fields to its records. What is stored stays readable.
//
// # Records
//
// A [Record] is immutable once an engine has returned it. Engines share one
// record between callers, so it and the messages it points to must not be
// modified.
//
// # States
//
// An operation starts PENDING (or RUNNING, when its work is done elsewhere),
// is RUNNING while an attempt owns it, may go back to PENDING (retry, drain,
// crash), and ends SUCCEEDED, FAILED or CANCELLED.
//
// # Capabilities
//
// Optional capabilities are separate interfaces, found by type assertion:
// [Subscriber], [Statser], [Historian], [Checker], [Meter], [RecordKeeper].
package engine
