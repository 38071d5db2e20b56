// Package dyntest has a message type that is linked into no program, for tests
// of how payloads of unknown types are decoded.
package dyntest
