// Package computetest has the tests of package lroext on the clients that others
// wrote: those of module cloud.google.com/go/compute, which is large.
//
// It is a module of its own so that nothing else depends on that one.
package computetest
