// Package google has the tests of packages lrogen and lrogax on what others wrote:
// the proto files and the clients of modules of cloud.google.com/go.
//
// It is a module of its own so that no other module depends on those.
package google
