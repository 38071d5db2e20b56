// Package longrunningpb is what grpc-gateway makes of google.longrunning, with
// the paths of rules.yaml besides those of the proto file.
package longrunningpb

//go:generate go tool -modfile=../../../tools/buf/go.mod buf generate
