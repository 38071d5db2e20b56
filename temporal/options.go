package temporal

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-lro/lro/server/engine"
)

const (
	defaultLease      = 10 * time.Second
	minLease          = time.Second
	defaultMaxPayload = 2 << 20

	// reserve is what an engine's own fields and Temporal's envelope may add to
	// a payload of the greatest size.
	reserve = 4 << 10

	maxQueue = 200
)

// Options configure [Open]. Nil is the zero value, which lacks what is required.
type Options struct {
	// TaskQueue is the base of the names of the task queues that the engine
	// uses, one for each kind, and keeps the operations of several engines in
	// one namespace apart. Engines with the same base share their operations.
	// Required; at most 200 bytes, without "kinds" or "external" between slashes.
	TaskQueue string

	// Namespace is the client's namespace, which cannot be read from the client.
	// Required; Temporal's built-in one is "default".
	Namespace string

	// Lease is how long the process of an attempt may be silent before another
	// process gets the operation. It sends three heartbeats in that time. The
	// lease applies to the operations that this engine starts, no matter which
	// process runs them. 0 means 10 s; at least 1 s.
	Lease time.Duration

	// MaxPayload is the largest size, in bytes, of what is sent to Temporal at
	// once: a request with its metadata, progress with its checkpoint, or an
	// outcome with its metadata. [engine.ErrTooLarge] beyond. It must not be more
	// than the namespace allows (limit.blobSize.error). 4 KiB of it are reserved.
	// 0 means 2 MiB, which is Temporal's default.
	MaxPayload int

	// Identity names this process in Temporal's UI. Empty means its host name
	// and process ID.
	Identity string

	// Logger receives failures in the background, such as a heartbeat that does
	// not arrive. Nil discards them.
	Logger *slog.Logger
}

func (opts *Options) withDefaults() (Options, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Lease == 0 {
		o.Lease = defaultLease
	}
	if o.MaxPayload == 0 {
		o.MaxPayload = defaultMaxPayload
	}
	if o.Identity == "" {
		host, _ := os.Hostname()
		o.Identity = fmt.Sprintf("%d@%s", os.Getpid(), host)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.Namespace == "":
		return o, fmt.Errorf("%w: namespace is empty", engine.ErrInvalid)
	case o.TaskQueue == "":
		return o, fmt.Errorf("%w: task queue is empty", engine.ErrInvalid)
	case len(o.TaskQueue) > maxQueue:
		return o, fmt.Errorf("%w: task queue of %d bytes is over %d", engine.ErrInvalid, len(o.TaskQueue), maxQueue)
	case slices.ContainsFunc(strings.Split(o.TaskQueue, "/"), isQueueWord):
		return o, fmt.Errorf("%w: task queue %q has the segment %q or %q, by which engines tell their queues apart",
			engine.ErrInvalid, o.TaskQueue, kindsWord, externalWord)
	case !printable(o.TaskQueue) || strings.HasPrefix(o.TaskQueue, "/"):
		return o, fmt.Errorf("%w: task queue %q", engine.ErrInvalid, o.TaskQueue)
	case o.Lease < minLease:
		return o, fmt.Errorf("%w: lease of %v is under %v", engine.ErrInvalid, o.Lease, minLease)
	case o.MaxPayload < 2*reserve:
		return o, fmt.Errorf("%w: greatest payload of %d bytes is under %d", engine.ErrInvalid, o.MaxPayload, 2*reserve)
	}
	return o, nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
