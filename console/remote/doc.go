// Package remote gives a console the operations of any service of
// google.longrunning.Operations, by its stub: that of gRPC, lrohttp.Client, or
// what else has the methods.
//
// Such a service has no change feed, counts or history, so the console asks
// again and again. What it can tell of an operation beyond its name, whether it
// is done and how it ended, stands in the metadata.
package remote
