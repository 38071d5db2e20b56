// Package editionspbserver has servers that the generator made, for the tests of
// package testpb.
package editionspbserver
