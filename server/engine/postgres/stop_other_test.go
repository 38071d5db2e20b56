//go:build !unix

package postgres

import "testing"

// stop skips the test: processes cannot be stopped here.
func stop(t *testing.T, _ int) {
	t.Helper()
	t.Skip("processes cannot be stopped on this system")
}
