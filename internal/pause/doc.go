// Package pause waits for a duration or the end of a context.
package pause
