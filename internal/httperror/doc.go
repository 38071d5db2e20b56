// Package httperror reads failed calls over HTTP: the status in the body of an
// answer, and the errors of clients that know no gRPC status.
package httperror
