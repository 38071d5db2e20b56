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
