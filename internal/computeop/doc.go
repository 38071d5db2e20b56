// Package computeop has a small message for operations of Compute Engine, with
// the annotations of extended operations, for programs and tests that do not
// link Compute's own.
package computeop
