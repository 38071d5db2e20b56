package scripted

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Now is the time on the clock that all processes of the machine share and
// that cannot be set (CLOCK_MONOTONIC; time.monotonic_ns in Python,
// process.hrtime in Node).
func Now() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(fmt.Sprintf("read clock: %v", err)) // no kernel lacks it
	}
	return time.Duration(ts.Nano())
}

// Never is the end of an operation that does not end.
const Never = time.Duration(math.MaxInt64)

// Operation is what the name of an operation says.
type Operation struct {
	Label string        // whose calls it counts to; letters, digits, '.' and '_'
	Index int           // among those of the label
	End   time.Duration // on the clock of Now
	Fails bool          // with Failure, else it succeeds with its name as response
	Waits bool          // WaitOperation works for it, else it is UNIMPLEMENTED
}

const parent = "projects/p/locations/l/operations/"

// Name returns the operation's name.
func (o Operation) Name() string { return o.name(strconv.Itoa(o.Index)) }

// Template returns the operation's name with {} for the index.
func (o Operation) Template() string { return o.name("{}") }

func (o Operation) name(index string) string {
	flags := "s"
	if o.Fails {
		flags = "f"
	}
	if o.Waits {
		flags += "w"
	}
	return fmt.Sprintf("%s%s-%s-%d-%s", parent, o.Label, index, int64(o.End), flags)
}

// Failure is the message of the error with which an operation of this name
// fails, if it does.
func Failure(name string) string { return "scripted failure of " + name }

// ParseName reads a name.
func ParseName(name string) (Operation, error) {
	id, ok := strings.CutPrefix(name, parent)
	parts := strings.Split(id, "-")
	if !ok || len(parts) != 4 || parts[0] == "" {
		return Operation{}, fmt.Errorf("read operation name %q: want %sLABEL-INDEX-END-FLAGS", name, parent)
	}
	index, err := strconv.Atoi(parts[1])
	if err != nil {
		return Operation{}, fmt.Errorf("read operation name %q: %w", name, err)
	}
	end, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return Operation{}, fmt.Errorf("read operation name %q: %w", name, err)
	}
	outcome, waits := strings.CutSuffix(parts[3], "w")
	if outcome != "s" && outcome != "f" {
		return Operation{}, fmt.Errorf("read operation name %q: flags are %q, want s or f and perhaps w", name, parts[3])
	}
	return Operation{Label: parts[0], Index: index, End: time.Duration(end), Fails: outcome == "f", Waits: waits}, nil
}
