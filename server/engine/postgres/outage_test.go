package postgres

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestOutages: a failure that repeats is logged once a minute, another one at once.
func TestOutages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := newOutages(slog.New(slog.NewTextHandler(&log, nil)))
		refused, eof := errors.New("refused"), errors.New("EOF")
		for range 150 { // two minutes and a half
			o.warn("a", refused)
			o.warn("b", refused)
			time.Sleep(time.Second) // sleep: in a bubble
		}
		o.warn("a", eof)
		for text, want := range map[string]int{"msg=a error=refused": 3, "msg=b error=refused": 3, "msg=a error=EOF": 1} {
			if got := strings.Count(log.String(), text); got != want {
				t.Errorf("%q was logged %d times, want %d, in\n%s", text, got, want, log.String())
			}
		}
	})
}
