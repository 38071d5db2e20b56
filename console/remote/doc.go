// Package remote gives a console the operations of any service of
// google.longrunning.Operations, by its stub: that of gRPC, lrohttp.Client, or
// what else has the methods.
//
// Such a service has no change feed, counts or history, so the console polls
// it. Besides an operation's name, whether it is done, and its outcome,
// everything that the console shows comes from the metadata.
package remote
