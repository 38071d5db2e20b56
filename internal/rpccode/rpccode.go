package rpccode

import (
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
)

// Name returns the name of a code, such as "NOT_FOUND", and "UNKNOWN" for a
// number that is no canonical code.
func Name(c codes.Code) string {
	if name, ok := code.Code_name[int32(c)]; ok {
		return name
	}
	return code.Code_UNKNOWN.String()
}

// Parse returns the code with this name, unless it is OK.
func Parse(name string) (codes.Code, bool) {
	c, ok := code.Code_value[name]
	return codes.Code(c), ok && c != 0
}

// Unbelieved returns the code of an answer that is not the service's: one that
// says nothing about the operation is kept, every other is UNKNOWN.
func Unbelieved(code codes.Code) codes.Code {
	switch code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Internal, codes.Aborted, codes.Canceled:
		return code
	}
	return codes.Unknown
}
