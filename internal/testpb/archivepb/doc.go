// Package archivepb has messages and a client that the generator made, for the
// tests of package lrogen.
package archivepb
