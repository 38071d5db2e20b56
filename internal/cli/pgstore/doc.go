// Package pgstore is the engine on PostgreSQL as the verbs of the command use it:
// those whose --db is a URL instead of a file.
package pgstore
