package kintest

import "net/http"

// serve answers a poll over REST as the next step says. The errors are in the
// form of Google's APIs.
func (s *script) serve(w http.ResponseWriter, name string, states map[answer]string) {
	switch a := s.next(name); a {
	case lost:
		panic(http.ErrAbortHandler) // closes the connection
	case unavailable:
		reply(w, http.StatusServiceUnavailable, `{"error": {"code": 503, "message": "try again", "status": "UNAVAILABLE"}}`)
	case denied:
		reply(w, http.StatusForbidden, `{"error": {"code": 403, "message": "no permission", "status": "PERMISSION_DENIED"}}`)
	default:
		reply(w, http.StatusOK, states[a])
	}
}

// reply writes an answer of a REST service.
func reply(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(body))
}
