package simulation

import (
	"fmt"
	"math"
	"time"
)

// What a load keeps of its calls must not grow: they are counted in buckets, each
// 5 % longer than the one before, from 10 µs to 50 minutes.
const (
	buckets      = 400
	firstBucket  = 10 * time.Microsecond
	bucketGrowth = 1.05
)

// durations counts calls by how long they took, to 5 %.
type durations struct {
	n    int
	took [buckets]int
}

func (d *durations) add(took time.Duration) {
	i := math.Log(float64(took)/float64(firstBucket)) / math.Log(bucketGrowth)
	d.took[min(max(int(i), 0), buckets-1)]++
	d.n++
}

// within returns how long a share of the calls took at most.
func (d *durations) within(share float64) time.Duration {
	left := int(math.Ceil(share * float64(d.n)))
	for i, n := range d.took {
		if left -= n; left <= 0 {
			return time.Duration(float64(firstBucket) * math.Pow(bucketGrowth, float64(i+1))).Round(10 * time.Microsecond)
		}
	}
	return 0
}

func (d *durations) String() string {
	return fmt.Sprintf("p50 %v, p99 %v, p99.9 %v, worst %v", d.within(0.5), d.within(0.99), d.within(0.999), d.within(1))
}
