// Package report holds what a run of the benchmarks found, and shows it: as
// JSON, as tables for a terminal, and as a page of Markdown with plots. Page and
// plots are made from the JSON alone, so that text and figures cannot disagree.
package report
