// Package doctor is "lro doctor": what a service offers, how fast it answers,
// and how the future will wait for its operations, and why.
//
// It asks each method about an operation that does not exist, under a random
// name: NOT_FOUND shows that a method is there, and nothing is changed.
package doctor
