// Package temporalserver runs Temporal servers as processes of this machine, built
// from temporal/devserver. Tests of the engine on Temporal use package testserver,
// which hands these out.
package temporalserver
