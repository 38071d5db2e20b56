// Package mutation has tests only: it changes the code of the future, the server
// and the engines at places drawn by a seed, one at a time, and has the tests of
// the package find each change. A change that no test finds shows what the tests
// do not cover. A test that fails must fail again when it runs alone, and pass
// without the change, so that a busy machine finds nothing.
//
// The changes are made on copies (go test -overlay): the code itself stays as it
// is. Their outcomes are added to a file, and what is in it is not done again.
package mutation
