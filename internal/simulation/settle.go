package simulation

import (
	"context"
	"maps"
	"slices"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
)

// settle ends all faults, and reads and counts what has become of the operations:
// once they have had the time to end, and after a restart.
func (w *world) settle() int {
	w.calm.Store(true)
	w.fleet.heal()
	w.fleet.settle()
	settled := w.history.next() // not before: a poll of a caller that has left may be under way
	w.readAll()
	w.counted()
	w.fleet.renew()
	w.readAll()
	w.counted()
	rows, err := w.fleet.rows()
	if err != nil {
		w.complain("the rows that transactions wrote: %v", err)
	}
	w.rows = rows
	w.fleet.end()
	if err := w.fleet.check(); err != nil {
		w.complain("the store: %v", err)
	}
	return settled
}

// names returns all that are known, in order.
func (w *world) names() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.slots))
}

func (w *world) readAll() {
	l := &link{w: w, caller: w.program.callers}
	for _, name := range w.names() {
		_, _ = l.GetOperation(context.Background(), &longrunningpb.GetOperationRequest{Name: name})
	}
	for key := range 2 {
		for _, filter := range append([]string{""}, filterTexts...) {
			w.walk(l, step{Key: key, Size: 3, Filter: filter})
		}
	}
}
