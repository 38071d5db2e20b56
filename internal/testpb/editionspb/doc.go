// Package editionspb has messages of several editions, and clients that the
// generator made, for the tests of package lrogen.
package editionspb
