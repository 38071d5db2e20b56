package lro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-lro/lro/internal/base64url"
)

const (
	// learnMethods is of how many methods a client keeps what it learned; the
	// operations of others are polled by the plain schedule.
	learnMethods = 256
	// learnedPrefix begins the text of what a client learned; the digit is the
	// version.
	learnedPrefix = "lrol1_"
	learnUnit     = 64      // parts of an operation in the text
	learnMost     = 1 << 22 // of such parts
	learnKey      = 512     // bytes of a method's key
)

// learned is what a client knows of its methods, by their keys. It is safe for
// concurrent use.
type learned struct {
	mu      sync.Mutex
	methods map[string]*durations
}

// of returns what is known of a method, nil for one too many.
func (l *learned) of(key string) *durations {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.methods[key]
	if d == nil && len(l.methods) < learnMethods && len(key) <= learnKey && utf8.ValidString(key) {
		if l.methods == nil {
			l.methods = map[string]*durations{}
		}
		d = &durations{}
		l.methods[key] = d
	}
	return d
}

// text returns all that is known, empty for nothing.
func (l *learned) text() string {
	l.mu.Lock()
	all := maps.Clone(l.methods)
	l.mu.Unlock()
	var b []byte
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if d := all[key].pack(); d != nil {
			b = append(binary.AppendUvarint(b, uint64(len(key))), key...)
			b = append(b, d...)
		}
	}
	if b == nil {
		return ""
	}
	return learnedPrefix + base64url.Encode(b)
}

// load takes over a text, in place of what is known of the methods in it.
func (l *learned) load(text string) error {
	encoded, ok := strings.CutPrefix(text, learnedPrefix)
	if !ok {
		return errors.New("it does not begin with " + learnedPrefix)
	}
	b, err := base64url.Decode(encoded)
	if err != nil {
		return err
	}
	all := map[string]*durations{}
	for len(b) > 0 {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > learnKey || n > uint64(len(b)-size) {
			return errors.New("the length of a method is out of bounds")
		}
		key := string(b[size : size+int(n)])
		if all[key] != nil || !utf8.ValidString(key) || len(all) == learnMethods {
			return fmt.Errorf("method %q is not one to learn from", key)
		}
		all[key] = &durations{}
		if b, err = all[key].unpack(b[size+int(n):]); err != nil {
			return fmt.Errorf("method %q: %w", key, err)
		}
	}
	for key, d := range all {
		if to := l.of(key); to != nil {
			to.mu.Lock()
			to.ends, to.risk, to.seen = d.ends, d.risk, d.seen
			to.aims.right, to.aims.wrong = d.aims.right, d.aims.wrong
			to.mu.Unlock()
		}
	}
	return nil
}

// pack returns the wire form, nil when nothing is known: of each bin the ends
// and the operations at risk, then the trust in progress.
func (d *durations) pack() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen == 0 && d.risk[0] == 0 {
		return nil
	}
	var b []byte
	put := func(v float64) { b = binary.AppendUvarint(b, uint64(min(math.Round(v*learnUnit), learnMost))) }
	for bin := range d.bins(0, math.Inf(1)) {
		put(float64(*bin.ends))
		put(float64(*bin.risk) / bin.width)
	}
	put(d.aims.right)
	put(d.aims.wrong)
	return b
}

// unpack reads what pack returned at the beginning of b, and returns the rest.
func (d *durations) unpack(b []byte) ([]byte, error) {
	var err error
	get := func() float64 {
		v, size := binary.Uvarint(b)
		if size <= 0 || v > learnMost {
			err = errors.New("a number is out of bounds")
			return 0
		}
		b = b[size:]
		return float64(v) / learnUnit
	}
	for bin := range d.bins(0, math.Inf(1)) {
		*bin.ends = float32(get())
		*bin.risk = float32(get() * bin.width)
		d.seen += *bin.ends
	}
	d.aims.right, d.aims.wrong = get(), get()
	return b, err
}
