package scripted

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"time"
)

// Spec is a kind of operations to start.
type Spec struct {
	Label   string        // whose calls they count to
	Nominal time.Duration // they take this long, more or less
	Failing float64       // the part of them that fails, in [0, 1]
	Waits   bool          // WaitOperation works for them
}

// Spread is by how much operations are shorter or longer than nominal, as a
// part of it. A schedule that polls at intervals that grow by less than
// (1+Spread)/(1-Spread) cannot be in luck: its instants fall everywhere.
const Spread = 0.3

// String is what a client sends to start operations of this kind, with
// "&index=" and a number appended for each.
func (s Spec) String() string {
	return url.Values{
		"label":   {s.Label},
		"nominal": {s.Nominal.String()},
		"failing": {strconv.FormatFloat(s.Failing, 'g', -1, 64)},
		"waits":   {strconv.FormatBool(s.Waits)},
	}.Encode()
}

// start makes the operation that a client asked for. Those of one index take
// equally long for all clients.
func start(request string, now time.Duration) (Operation, error) {
	q, err := url.ParseQuery(request)
	if err != nil {
		return Operation{}, fmt.Errorf("read start request %q: %w", request, err)
	}
	index, err := strconv.Atoi(q.Get("index"))
	if err != nil {
		return Operation{}, fmt.Errorf("read index of start request %q: %w", request, err)
	}
	nominal, err := time.ParseDuration(q.Get("nominal"))
	if err != nil {
		return Operation{}, fmt.Errorf("read start request %q: %w", request, err)
	}
	failing, err := strconv.ParseFloat(q.Get("failing"), 64)
	if err != nil {
		return Operation{}, fmt.Errorf("read part of failures of start request %q: %w", request, err)
	}
	rnd := rand.New(rand.NewPCG(uint64(nominal), uint64(index)))
	takes := time.Duration(float64(nominal) * (1 - Spread + 2*Spread*rnd.Float64()))
	return Operation{
		Label: q.Get("label"),
		Index: index,
		End:   now + takes,
		Fails: rnd.Float64() < failing,
		Waits: q.Get("waits") == "true",
	}, nil
}
