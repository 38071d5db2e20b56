// Package servers has the tests of package lro against servers that others
// wrote, which the registry of Go modules has:
//
//   - cloud.google.com/go/spanner/spannertest, whose operations run, end with
//     an Any without a type, and have GetOperation only: any other method of
//     google.longrunning.Operations takes the server's process down.
//   - cloud.google.com/go/bigtable/bttest, whose one operation is done when it
//     is started, and whose server has no google.longrunning.Operations at all.
//
// It is a module of its own so that nobody who waits for operations gets those.
package servers
