// Command wait starts an operation on lro serve, shows its progress and waits
// for its response. The page docs/getting-started.md goes through it.
//
//	go run ./cmd/lro serve
//	go run ./examples/wait
package main
