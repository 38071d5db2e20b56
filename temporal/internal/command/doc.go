// Package command is the command lro-temporal: all of internal/cli, with serve on
// Temporal instead of a file.
package command
