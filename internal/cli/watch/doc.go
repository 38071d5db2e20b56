// Package watch is "lro watch": every change of operations, one a line, until
// they have ended.
package watch
