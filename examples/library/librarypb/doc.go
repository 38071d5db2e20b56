// Package librarypb holds the messages and stubs of the example's service. It
// is generated from proto/example/library/v1 by "make proto".
package librarypb
