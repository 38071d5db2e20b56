// Package observe asks Temporal itself who runs which operation, for tests and
// demonstrations that must not take the engine's word for it.
package observe
