package enginekit

import "time"

const (
	// DefaultConcurrency is the meaning of 0 in [engine.Worker.Concurrency].
	DefaultConcurrency = 100

	// AbandonAfter is how long a draining Work waits for attempts that were
	// told to end. A handler that ignores its context longer than this loses
	// its operation, so that it cannot keep the program from stopping.
	AbandonAfter = 10 * time.Second
)

// Drain is the end of a Work whose engine has stopped claiming operations for
// it.
type Drain struct {
	Idle    <-chan struct{} // closed when no attempt is left
	For     time.Duration   // how long attempts may take to end by themselves; see [engine.Worker.Drain]
	Tell    func()          // ends the attempts' contexts, with the cause [engine.ErrDraining]
	Abandon func()          // takes their operations from the attempts that are left
}

// Run returns when the attempts have ended. It calls Tell after For, and
// Abandon when attempts are left [AbandonAfter] later.
func (d Drain) Run() {
	if WaitFor(d.Idle, d.For) {
		return
	}
	d.Tell()
	if WaitFor(d.Idle, AbandonAfter) {
		return
	}
	d.Abandon()
}

// Retry calls store until it returns true, with pauses that double from least
// to most, and gives up and returns false when stop is closed in a pause. store is
// given the pause that follows a failure.
func Retry(stop <-chan struct{}, least, most time.Duration, store func(pause time.Duration) (done bool)) bool {
	for pause := least; !store(pause); pause = min(2*pause, most) {
		if WaitFor(stop, pause) {
			return false
		}
	}
	return true
}
