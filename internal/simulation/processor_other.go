//go:build !unix

package simulation

import "time"

// processorTime is not known here.
func processorTime() time.Duration { return 0 }
