// Package pgtext makes the texts of pgx's errors fit for one line.
package pgtext
