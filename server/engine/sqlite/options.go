package sqlite

import (
	"log/slog"
	"time"
)

const (
	defaultCacheBytes = 64 << 20
	defaultMaxPayload = 16 << 20

	// persistEvery is how often reported progress is written.
	persistEvery = 100 * time.Millisecond
)

// Options configure [Open]. The zero value, and a nil pointer, mean the
// defaults.
type Options struct {
	// Logger receives failures in the background, such as progress that cannot be
	// stored. Nil discards them.
	Logger *slog.Logger

	// CacheBytes bounds the memory in which operations that are not running
	// are kept for Get, roughly. Running operations are always in memory, and
	// not counted. 0 means 64 MiB; negative keeps only running ones.
	CacheBytes int64

	// MaxPayload is the greatest size in bytes of one request, metadata,
	// response, error or checkpoint; [engine.ErrTooLarge] beyond. 0 means
	// 16 MiB.
	MaxPayload int

	// For tests.
	vfs             string             // the driver's file system; empty is the operating system's
	syncDir         func(string) error // nil is the operating system's
	probe           func(string) error // nil writes a file to the folder
	checkpointPages int                // of the log that are moved at once; 0 is SQLite's default
	youngKeys       int                // see requestIDs; 0 is the default
}

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.CacheBytes == 0 {
		opts.CacheBytes = defaultCacheBytes
	}
	if opts.syncDir == nil {
		opts.syncDir = syncDir
	}
	if opts.probe == nil {
		opts.probe = probe
	}
	if opts.youngKeys == 0 {
		opts.youngKeys = defaultYoungKeys
	}
	if opts.MaxPayload == 0 {
		opts.MaxPayload = defaultMaxPayload
	}
	return opts
}
