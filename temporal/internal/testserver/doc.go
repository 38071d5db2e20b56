// Package testserver gives tests Temporal servers and PostgreSQL, which stop when
// the test ends:
//
//	server := testserver.Start(t, testserver.Options{})
//	c := server.Client(t)
//
// To build the server takes minutes when nothing is in the cache of the go
// command. So tests that use this package are skipped unless they are asked for:
// by LRO_TEMPORAL=1, which "make test-temporal" sets, or by CI=true. Then
// whatever is missing fails them. LRO_TEMPORAL_DEVSERVER=PATH asks too, and names
// a binary that is built already.
package testserver
