// Package serve is "lro serve": a durable Operations service on one database
// file, for trying things out, for tests of clients in any language, and as an
// example of a server.
package serve
