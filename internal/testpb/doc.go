// Package testpb has the tests that run generated code. The packages below it are
// what package lrogen and protoc-gen-go make of the proto files in lrogen's
// testdata: go test ./internal/lrogen -update writes them.
package testpb
