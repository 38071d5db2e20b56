// Package exit says how a command ended: the exit statuses, the errors that
// carry them, and the one function that maps an error to a status.
package exit
