// Package demo is "lro demo": a whole life of an operation in one process. It
// serves operations on loopback gRPC, starts one that computes checksums, waits
// for it with the future, and shows its progress. Killed and started again with
// the same database it resumes where it was.
package demo
