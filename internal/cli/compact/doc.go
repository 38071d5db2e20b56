// Package compact is "lro compact": the database of a server that does not run,
// without what is free in it.
package compact
