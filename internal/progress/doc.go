// Package progress reads what the metadata of an operation says about its
// progress, times, state, kind and target. Metadata has no common type, so the
// fields are found by the names that Google's APIs and the services built like
// them use; names.go lists them. A message and its JSON give the same facts.
package progress
