// Package anyjson is the JSON of messages that hold a google.protobuf.Any of a
// type that may not be linked into the program. Reading and writing such a
// message does not fail for it, which protojson does: what is in an operation is
// the service's matter, not the transport's.
package anyjson
