//go:build !unix

package temporalserver

import "errors"

// Pause is not there on this system.
func (s *Server) Pause() error { return errors.ErrUnsupported }

// Resume is not there on this system.
func (s *Server) Resume() error { return errors.ErrUnsupported }
