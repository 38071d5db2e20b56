// Package pgtest gives tests a PostgreSQL server: one for all tests of a
// package, or one of their own. Where PostgreSQL is not installed the tests are
// skipped, or fail where LRO_POSTGRES is set.
//
//	func TestMain(m *testing.M) { leak.Main(pgtest.Shared(m)) }
//
//	func TestQuery(t *testing.T) {
//		url := pgtest.URL(t)
//		…
//	}
package pgtest
