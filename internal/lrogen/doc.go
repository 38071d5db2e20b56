// Package lrogen generates Go code for the methods of a proto file that carry
// google.longrunning.operation_info (AIP-151). It is the inside of
// cmd/protoc-gen-go-lro, and works on a request of the compiler alone: it reads
// no file and no environment.
package lrogen
