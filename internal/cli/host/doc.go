// Package host is the server that the command runs: the embedded engine on a
// file, the kinds checksum and simulate, and the Operations service over gRPC.
package host
