// Package backup is "lro backup": a copy of the database of lro serve, while it
// runs or not.
package backup
