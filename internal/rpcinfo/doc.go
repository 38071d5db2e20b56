// Package rpcinfo compares the types that a program declares for an RPC with what
// the RPC's linked descriptor says of them.
package rpcinfo
