package server

// Reasons in the ErrorInfo of a status this package makes. docs/errors.md
// tells each.
const (
	reasonInvalidName        = "INVALID_NAME"
	reasonInvalidParent      = "INVALID_PARENT"
	reasonInvalidFilter      = "INVALID_FILTER"
	reasonInvalidPageSize    = "INVALID_PAGE_SIZE"
	reasonInvalidPageToken   = "INVALID_PAGE_TOKEN"
	reasonInvalidTimeout     = "INVALID_TIMEOUT"
	reasonInvalidRequest     = "INVALID_REQUEST"
	reasonInvalidRequestID   = "INVALID_REQUEST_ID"
	reasonRequestIDReused    = "REQUEST_ID_REUSED"
	reasonTooLarge           = "PAYLOAD_TOO_LARGE"
	reasonUnknownKind        = "UNKNOWN_KIND"
	reasonPartialUnsupported = "PARTIAL_SUCCESS_UNSUPPORTED"
	reasonNotFound           = "OPERATION_NOT_FOUND"
	reasonEnded              = "OPERATION_HAS_ENDED"
	reasonNotEnded           = "OPERATION_HAS_NOT_ENDED"
	reasonDenied             = "PERMISSION_DENIED"
	reasonStoreUnavailable   = "STORE_UNAVAILABLE"
	reasonStoreMisconfigured = "STORE_MISCONFIGURED"
	reasonInternal           = "INTERNAL_ERROR"
	reasonCallEnded          = "CALL_ENDED"

	reasonCancelled         = "OPERATION_CANCELLED"
	reasonDeadline          = "ATTEMPT_DEADLINE_EXCEEDED"
	reasonHandlerFailed     = "HANDLER_FAILED"
	reasonHandlerPanicked   = "HANDLER_PANICKED"
	reasonNoResponse        = "HANDLER_RETURNED_NOTHING"
	reasonRequestUnreadable = "REQUEST_UNREADABLE"
	reasonResponseInvalid   = "RESPONSE_INVALID"
	reasonResultTooLarge    = "RESULT_TOO_LARGE"
)
