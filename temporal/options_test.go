package temporal

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-lro/lro/server/engine"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	got, err := Options{TaskQueue: "q"}.withDefaults()
	if err != nil {
		t.Fatalf("withDefaults() = %v", err)
	}
	if got.Namespace != "default" || got.Lease != 10*time.Second || got.MaxPayload != 2<<20 || got.Identity == "" || got.Logger == nil {
		t.Errorf("withDefaults() = %+v, want the defaults that are documented", got)
	}
	for name, o := range map[string]Options{
		"no task queue":     {},
		"long task queue":   {TaskQueue: strings.Repeat("q", 201)},
		"task queue \\x00":  {TaskQueue: "q\x00"},
		"task queue /x":     {TaskQueue: "/x"},
		"short lease":       {TaskQueue: "q", Lease: time.Millisecond},
		"negative lease":    {TaskQueue: "q", Lease: -1},
		"small payloads":    {TaskQueue: "q", MaxPayload: 1},
		"negative payloads": {TaskQueue: "q", MaxPayload: -1},
	} {
		if _, err := o.withDefaults(); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("withDefaults() with %s = %v, want %v", name, err, engine.ErrInvalid)
		}
	}
}
