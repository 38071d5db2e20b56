// Package wait is "lro wait": it waits for operations to end, shows how far they
// are, and says how each ended.
package wait
