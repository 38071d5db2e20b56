// Package enginekit is what engines share: waiting for the end of an operation,
// draining and abandoning attempts, the statuses that an engine itself ends
// operations with, and names. Read it to write an engine; programs that serve
// operations do not use it.
//
// Like the contract in package engine it may change in a minor release of the
// module, with a line in the changelog, for as long as the module is before
// version 1.
package enginekit
