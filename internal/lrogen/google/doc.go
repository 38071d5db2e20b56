// Package google has the test of package lrogen on proto files that others wrote:
// those of modules of cloud.google.com/go, whose clients know the types too.
//
// It is a module of its own so that nobody else gets those.
package google
