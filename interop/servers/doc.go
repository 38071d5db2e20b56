// Package servers has the tests of package lro against servers that others
// wrote, as the registries of Go modules and of Java's artifacts have them:
//
//   - cloud.google.com/go/spanner/spannertest, whose operations run, end with
//     an Any without a type, and have GetOperation only: any other method of
//     google.longrunning.Operations takes the server's process down.
//   - cloud.google.com/go/bigtable/bttest, whose one operation is done when it
//     is started, and whose server has no google.longrunning.Operations at all.
//   - the mock server in the tests of Java's google-cloud-spanner, which java
//     starts: operations with progress that can be cancelled, deleted and
//     listed, and that have a response while they run.
//
// None of them speaks HTTP/JSON; that is what grpc-gateway makes of them, with
// the paths of the real service, in the folder gateway.
//
// It is a module of its own so that programs that wait for operations
// do not depend on those.
package servers
