// Package cancel is "lro cancel": it asks a service to stop operations, and
// says what became of them.
package cancel
