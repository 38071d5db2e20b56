// Package serverotel records what package server starts and runs as
// OpenTelemetry traces and metrics:
//
//	srv, err := server.New(eng, server.Config{Observer: serverotel.NewObserver()}, kinds...)
//
// It uses OpenTelemetry's API only; the program chooses and flushes its SDK.
// Package lrootel records the waits of callers.
//
// # Traces
//
// The trace in which an operation was started is stored with it. Each attempt is
// a span of that trace named after the kind, such as "export-books", of the kind
// Consumer, whose parent is the span that was current when it was started, also
// when that was before a restart, on another machine. Its attributes are
//
//	gcp.resource.destination.id   name of the operation
//	lro.kind                      kind of the operation
//	lro.attempt                   1 for the first
//	lro.state                     what the attempt made of the operation: SUCCEEDED, FAILED,
//	                              CANCELLED, or PENDING when it runs again
//	lro.lease_lost                true when the result did not count; else left out
//	error.type                    canonical code of the error, such as UNAVAILABLE, also of one
//	                              that is retried; left out without one
//
// A span has the status Error when the attempt ended with an error, but for
// CANCELLED.
//
// # Metrics
//
//	lro.server.starts             {operation}  counter    starts; lro.kind, rpc.response.status_code
//	lro.server.queue.duration     s            histogram  from start to first attempt; lro.kind
//	lro.server.attempt.duration   s            histogram  attempts that ended; lro.kind, lro.state, error.type
//	lro.server.active_attempts    {attempt}    up-down    attempts that run; lro.kind
//	lro.server.lease_losses       {attempt}    counter    attempts whose result did not count; lro.kind
//	lro.server.overdue_attempts   {attempt}    counter    attempts that were ended because their handler
//	                                                      ignored its deadline; lro.kind
//
// What the engine decides alone is not among it; see [server.Observer].
//
// [ObserveEngine] adds what an engine measures, where it does, such as that on
// PostgreSQL. It is read when metrics are collected. Queues and dead rows are the
// same in all processes of a store: take their maximum, and not their sum.
//
//	lro.engine.queue.depth            {operation}   gauge    PENDING operations that may run; lro.kind
//	lro.engine.queue.age              s             gauge    how long the oldest has waited; lro.kind
//	lro.engine.claims                 {claim}       counter  calls that claim operations
//	lro.engine.claim.time             s             counter  time that they took
//	lro.engine.lease_renewals         {renewal}     counter  renewals of the process's lease
//	lro.engine.lease_renewal.time     s             counter  time that they took
//	lro.engine.failed_lease_renewals  {renewal}     counter  those that failed
//	lro.engine.dead_rows              {row}         gauge    rows to be cleaned up, about; db.collection.name
//	lro.engine.connections            {connection}  gauge    connections to the store; db.client.connection.state: used, idle
package serverotel
