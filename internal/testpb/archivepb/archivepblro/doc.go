// Package archivepblro has the client of package archivepb once more, in a package
// of its own, for the tests of package lrogen.
package archivepblro
