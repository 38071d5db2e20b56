// Package arch keeps the house in order. It has tests only, and they fail when
//
//   - a package imports another of ours that it should not know (directions),
//   - a library, or the testing package, is linked by code that should not need
//     it (links), or the modules behind a package we promise to keep light
//     change (testdata/links.txt; -update writes it anew),
//   - what a public package exports changes (testdata/api, by package api; make
//     api writes it anew),
//   - a package has no doc.go that teaches it, an exported name of a public one
//     has no comment, a file grows too long, or a test sleeps in real time.
//
// The rules are the tables of rules_test.go, each with its reason. A new package
// must be entered there before it may import anything of ours. Imports are read
// from all files of all modules, whatever their build tags; what is linked is
// asked of "go list" for each operating system we build for.
package arch
