package postgres

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/anypb"
)

// TestMergerGroups: calls that come while a group is under way are of the next ones,
// which have no more calls than allowed, and no more bytes unless one call has them.
func TestMergerGroups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var background, calling sync.WaitGroup
		var groups [][]int
		first := make(chan struct{})
		m := &merger[int, int]{
			groups: 1, size: 3, weigh: func(bytes int) int { return bytes },
			run: func(_ context.Context, group []*call[int, int]) {
				var bytes []int
				for _, c := range group {
					bytes = append(bytes, c.query)
					c.result = c.query
				}
				groups = append(groups, bytes)
				if len(groups) == 1 {
					<-first
				}
			},
			background: func(f func(context.Context)) bool {
				background.Go(func() { f(t.Context()) })
				return true
			},
		}
		const half = maxStatement / 2
		for _, bytes := range []int{1, 1, 1, 1, 1, half, half, half, 2 * maxStatement, 1} {
			calling.Go(func() {
				if got, err := m.do(t.Context(), bytes); got != bytes || err != nil {
					t.Errorf("do(%d) = %d, %v", bytes, got, err)
				}
			})
			synctest.Wait()
		}
		close(first)
		calling.Wait()
		background.Wait()
		want := [][]int{{1}, {1, 1, 1}, {1, half}, {half, half}, {2 * maxStatement}, {1}}
		if diff := cmp.Diff(want, groups); diff != "" {
			t.Errorf("groups (-want +got):\n%s", diff)
		}
	})
}

// TestMergerGathers: after a group of several calls, the next ones gather although no
// group is under way; after a group of one, a call is alone.
func TestMergerGathers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calling sync.WaitGroup
		var groups []int
		var begun []func(context.Context) // not run yet
		proceed := make(chan struct{})
		m := &merger[int, int]{
			groups: 1, size: 10,
			run: func(_ context.Context, group []*call[int, int]) {
				groups = append(groups, len(group))
				if len(groups) == 1 {
					<-proceed
				}
			},
			background: func(f func(context.Context)) bool { begun = append(begun, f); return true },
		}
		call := func(n int) {
			for range n {
				calling.Go(func() {
					if _, err := m.do(t.Context(), 0); err != nil {
						t.Errorf("do() = %v", err)
					}
				})
			}
			synctest.Wait()
		}
		run := func() {
			for len(begun) > 0 {
				f := begun[0]
				begun = begun[1:]
				f(t.Context())
			}
			calling.Wait()
		}
		call(1) // alone, until proceed
		call(3)
		close(proceed)
		synctest.Wait()
		run() // the three
		call(2)
		run()
		call(1)
		run()
		call(1)
		if len(begun) > 0 {
			t.Error("a call after a group of one was not made by its caller")
		}
		calling.Wait()
		if diff := cmp.Diff([]int{1, 3, 2, 1, 1}, groups); diff != "" {
			t.Errorf("groups (-want +got):\n%s", diff)
		}
	})
}

// TestReportsOfOneStatement: progress beyond what one statement takes is left for the
// next one.
func TestReportsOfOneStatement(t *testing.T) {
	t.Parallel()
	e := &Engine{attempts: make(map[int64]*attempt), dirty: make(map[int64]struct{}), dirtyKick: make(chan struct{}, 1)}
	large := &anypb.Any{Value: make([]byte, maxStatement/4)}
	for seq := range int64(8) {
		e.attempts[seq] = &attempt{e: e, seq: seq, progress: large, unsaved: true, writing: make(chan struct{}, 1)}
		e.dirty[seq] = struct{}{}
	}
	first := len(e.takeReports())
	if first != 4 || len(e.dirty) != 4 || len(e.dirtyKick) != 1 {
		t.Errorf("%d reports of %d bytes are taken, %d are left, with %d kicks; want 4, 4 and 1", first, len(large.Value), len(e.dirty), len(e.dirtyKick))
	}
	if second := len(e.takeReports()); second != 4 || len(e.dirty) != 0 {
		t.Errorf("then %d are taken and %d are left, want the rest", second, len(e.dirty))
	}
}
