// Package call has messages that package archivepb uses, for the tests of package
// lrogen.
package call
