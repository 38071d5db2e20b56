package host

import (
	"maps"
	"slices"

	"github.com/go-lro/lro/internal/kinds/checksum"
	"github.com/go-lro/lro/internal/kinds/simulate"
	"github.com/go-lro/lro/server"
)

// DefaultConcurrency is that of [Config].
const DefaultConcurrency = 100

// KindNames are the names of the kinds that a host has.
func KindNames() []string { return []string{checksum.Kind.Name, simulate.Kind.Name} }

// kinds are the kinds that a host has: with their handlers, unless it only
// answers.
func (c Config) kinds() []server.Registration {
	sums := checksum.Config{Root: c.ChecksumRoot, Off: c.NoChecksum, Concurrency: c.Kinds[checksum.Kind.Name]}
	plays := simulate.Config{Concurrency: c.Kinds[simulate.Kind.Name]}
	if c.AnswerOnly {
		return []server.Registration{sums.Kind().Declare(), plays.Kind().Declare()}
	}
	return []server.Registration{sums.Handle(), plays.Handle()}
}

// limits are the numbers of operations that may run at once, by kind; the empty
// kind is all together. They are none where nothing runs.
func (c Config) limits() map[string]int64 {
	if c.AnswerOnly {
		return nil
	}
	limits := map[string]int64{"": DefaultConcurrency}
	if c.Concurrency > 0 {
		limits[""] = int64(c.Concurrency)
	}
	for _, kind := range slices.Sorted(maps.Keys(c.Kinds)) {
		limits[kind] = int64(c.Kinds[kind])
	}
	return limits
}
