// Package simulate has the kind "simulate": an operation that does nothing for
// a requested time, shows progress in the requested number of steps, and ends
// with the requested result. It is for tests of clients of google.longrunning,
// in any language.
package simulate
