// Package backend runs what the engine stands on, as processes of this machine:
// Temporal servers, built from temporal/devserver, and PostgreSQL for them. Tests
// use package testserver, which hands these out.
package backend
