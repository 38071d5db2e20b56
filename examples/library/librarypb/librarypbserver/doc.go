// Package librarypbserver has the server side of the example's service. It is
// generated from proto/example/library/v1 by "make proto".
package librarypbserver
