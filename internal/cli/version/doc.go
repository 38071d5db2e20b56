// Package version is "lro version": what was built, of what and with what.
package version
