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

	"github.com/go-lro/lro/internal/base64url"
)

const (
	// learnMethods is how many methods a client learns about; operations of further
	// methods are polled by the plain schedule.
	learnMethods = 256
	// learnedPrefix begins the text of what a client learned; the digit is the
	// version.
	learnedPrefix = "lrol1_"
	learnUnit     = 64      // parts of an operation in the text
	learnMost     = 1 << 22 // of such parts
	learnKey      = 512     // bytes of a method's key
)

var errLearned = errors.New("it is damaged")

// learned is what a client knows of its methods, by their keys. It is safe for
// concurrent use.
type learned struct {
	mu      sync.Mutex
	methods map[string]*durations
}

// of returns what is known of a method; nil if there are too many.
func (l *learned) of(key string) *durations {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.methods[key]
	if d == nil && len(l.methods) < learnMethods && len(key) <= learnKey {
		if l.methods == nil {
			l.methods = map[string]*durations{}
		}
		d = &durations{}
		l.methods[key] = d
	}
	return d
}

// text returns all that is known, empty for nothing: the length of each method's key,
// the key, and its numbers.
func (l *learned) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b []byte
	for _, key := range slices.Sorted(maps.Keys(l.methods)) {
		b = l.methods[key].appendTo(b, key)
	}
	if b == nil {
		return ""
	}
	return learnedPrefix + base64url.Encode(b)
}

// appendTo appends what is known of the method with this key, if anything is.
func (d *durations) appendTo(b []byte, key string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.risk[0] == 0 && slices.Max(d.ends[:]) == 0 {
		return b
	}
	b = append(binary.AppendUvarint(b, uint64(len(key))), key...)
	for _, v := range d.numbers() {
		b = binary.AppendUvarint(b, uint64(min(math.Round(float64(*v)*learnUnit), learnMost)))
	}
	return b
}

// load replaces what is known of the methods in a text by what the text says.
func (l *learned) load(text string) error {
	encoded, ok := strings.CutPrefix(text, learnedPrefix)
	if !ok {
		return fmt.Errorf("text does not begin with %q: it is of another version, or cut off", learnedPrefix)
	}
	b, err := base64url.Decode(encoded)
	if err != nil {
		return err
	}
	number := func(most uint64) uint64 {
		n, size := binary.Uvarint(b)
		ok = ok && size > 0 && n <= most
		b = b[max(size, 0):]
		return n
	}
	loaded := &learned{}
	for len(b) > 0 {
		size := min(number(learnKey), uint64(len(b)))
		d := loaded.of(string(b[:size]))
		if b = b[size:]; d == nil {
			return errLearned // of too many methods, or a key too long
		}
		for _, v := range d.numbers() {
			*v = float32(number(learnMost)) / learnUnit
		}
		if !ok {
			return errLearned
		}
	}
	for key, d := range loaded.methods {
		if to := l.of(key); to != nil {
			to.mu.Lock()
			to.ends, to.risk, to.aims.right, to.aims.wrong = d.ends, d.risk, d.aims.right, d.aims.wrong
			to.mu.Unlock()
		}
	}
	return nil
}

// numbers returns the numbers of a method in the order of the text: for each bin the
// operations that ended in it and those at risk, then the record of progress.
func (d *durations) numbers() (all []*float32) {
	for i := range d.ends {
		all = append(all, &d.ends[i], &d.risk[i])
	}
	return append(all, &d.aims.right, &d.aims.wrong)
}
