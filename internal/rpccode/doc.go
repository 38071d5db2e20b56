// Package rpccode has the names of the canonical codes as google/rpc/code.proto
// writes them, which are those of JSON, metrics and pages, and the codes of HTTP
// statuses.
package rpccode
