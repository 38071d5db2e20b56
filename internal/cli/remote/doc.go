// Package remote is what the verbs that talk to a service have in common: the
// flags that say which and how to show its answers, and a session with it.
package remote
