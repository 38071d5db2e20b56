// Package backend runs what the engine stands on, as processes of this machine:
// Temporal servers, built from temporal/devserver. Tests use package testserver,
// which hands these out.
package backend
