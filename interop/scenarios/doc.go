// Package scenarios plays the same scenarios through different futures and
// compares what their callers see, field by field.
//
// A scenario is data: what a scripted server answers, what a caller does, and
// what comes of it. README.md describes the files in data, which know nothing
// of Go or Python. Here are the scripted server, [Serve], the runner of package
// lro, [RunLRO], and the comparison, [Scenario.Compare]; the folder api_core has
// the runner of Google's Python futures.
package scenarios
