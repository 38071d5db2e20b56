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
	got, err := (&Options{TaskQueue: "q", Namespace: "n"}).withDefaults()
	if err != nil {
		t.Fatalf("withDefaults() = %v", err)
	}
	if got.Lease != 10*time.Second || got.MaxPayload != 2<<20 || got.Identity == "" || got.Logger == nil {
		t.Errorf("withDefaults() = %+v, want the defaults that are documented", got)
	}
	for name, o := range map[string]*Options{
		"nothing":           nil,
		"no task queue":     {Namespace: "n"},
		"no namespace":      {TaskQueue: "q"},
		"long task queue":   {Namespace: "n", TaskQueue: strings.Repeat("q", 201)},
		"task queue \\x00":  {Namespace: "n", TaskQueue: "q\x00"},
		"task queue /x":     {Namespace: "n", TaskQueue: "/x"},
		"task queue kinds":  {Namespace: "n", TaskQueue: "a/kinds/b"},
		"short lease":       {Namespace: "n", TaskQueue: "q", Lease: time.Millisecond},
		"negative lease":    {Namespace: "n", TaskQueue: "q", Lease: -1},
		"small payloads":    {Namespace: "n", TaskQueue: "q", MaxPayload: 1},
		"negative payloads": {Namespace: "n", TaskQueue: "q", MaxPayload: -1},
	} {
		if _, err := o.withDefaults(); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("withDefaults() with %s = %v, want %v", name, err, engine.ErrInvalid)
		}
	}
}
