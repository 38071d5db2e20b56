package rpccode

import (
	"net/http"

	"google.golang.org/grpc/codes"
)

// FromHTTP returns the canonical code of an HTTP status whose body names
// none. Where several codes have the status it is the one that promises least.
// Statuses that google/rpc/code.proto does not list come from what stands
// between client and service: those that pass are UNAVAILABLE.
func FromHTTP(status int) codes.Code {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusRequestHeaderFieldsTooLarge:
		return codes.InvalidArgument
	case http.StatusUnauthorized, http.StatusProxyAuthRequired:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusNotFound, http.StatusGone:
		return codes.NotFound
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return codes.Unimplemented
	case http.StatusConflict:
		return codes.Aborted
	case http.StatusRequestedRangeNotSatisfiable:
		return codes.OutOfRange
	case http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case 499: // google/rpc/code.proto; net/http has no name for it
		return codes.Canceled
	case http.StatusRequestTimeout, http.StatusMisdirectedRequest, http.StatusTooEarly,
		http.StatusBadGateway, http.StatusServiceUnavailable:
		return codes.Unavailable
	case http.StatusGatewayTimeout:
		return codes.DeadlineExceeded
	case http.StatusInternalServerError:
		return codes.Internal
	}
	switch {
	case 300 <= status && status < 500:
		return codes.FailedPrecondition
	case 500 <= status && status < 600:
		return codes.Internal
	}
	return codes.Unknown
}
