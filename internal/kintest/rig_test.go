package kintest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// answer is what a fake answers a poll with.
type answer string

const (
	running     answer = "running"
	succeeded   answer = "succeeded"
	failed      answer = "failed"
	unavailable answer = "unavailable" // the poll fails, by the service's word for UNAVAILABLE
	lost        answer = "lost"        // the poll has no answer
	denied      answer = "denied"      // the poll fails, by the service's word for PERMISSION_DENIED
)

// script is the answers of a fake to polls, one after the other; the last stays.
type script struct {
	mu    sync.Mutex
	steps []answer
	names []string // that were polled
}

func (s *script) next(name string) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names = append(s.names, name)
	step := s.steps[0]
	if len(s.steps) > 1 {
		s.steps = s.steps[1:]
	}
	return step
}

// polled returns the names of all polls.
func (s *script) polled() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.names)
}

// recipe is one under test, with a fake that plays a script. Each function
// returns a part of the typed result.
type recipe struct {
	start  func(ctx context.Context) (string, error)              // starts an operation by the service's client and waits for it
	resume func(ctx context.Context, name string) (string, error) // waits for one that another process started
}

// expected is what a recipe makes of the answers of its fake.
type expected struct {
	name    string // of the operation
	result  string
	code    codes.Code // of the answer "failed"
	message string
}

// testRecipe plays the same scenarios through a recipe.
func testRecipe(t *testing.T, want expected, serve func(*testing.T, *script) recipe) {
	t.Helper()
	play := func(name string, steps []answer, test func(t *testing.T, s *script, r recipe)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{steps: steps}
				test(t, s, serve(t, s))
			})
		})
	}
	succeeds := func(t *testing.T, s *script, r recipe) {
		polls := len(s.steps)
		got, err := r.start(t.Context())
		if err != nil || got != want.result {
			t.Errorf("got (%q, %v), want %q", got, err, want.result)
		}
		if n := len(s.polled()); n != polls {
			t.Errorf("%d polls, want %d", n, polls)
		}
	}
	play("succeeds", []answer{running, running, succeeded}, succeeds)
	play("a failed poll is retried", []answer{running, unavailable, unavailable, succeeded}, succeeds)
	// More often than an error that is not understood would be.
	play("an outage is waited out", append(slices.Repeat([]answer{lost}, 20), running, succeeded), succeeds)
	play("fails", []answer{running, failed}, func(t *testing.T, s *script, r recipe) {
		_, err := r.start(t.Context())
		got, ok := errors.AsType[*lro.OperationError](err)
		if !ok || got.Name != want.name || got.Code() != want.code || got.Message() != want.message {
			t.Errorf("got %v, want that operation %q failed with %v: %s", err, want.name, want.code, want.message)
		}
	})
	play("a refused poll ends the wait", []answer{running, denied}, func(t *testing.T, s *script, r recipe) {
		_, err := r.start(t.Context())
		if _, ok := errors.AsType[*lro.WaitError](err); !ok || status.Code(err) != codes.PermissionDenied {
			t.Errorf("got %v, want a WaitError of code PERMISSION_DENIED", err)
		}
		if n := len(s.polled()); n != 2 {
			t.Errorf("%d polls, want 2", n)
		}
	})
	play("resumes", []answer{running, succeeded}, func(t *testing.T, s *script, r recipe) {
		got, err := r.resume(t.Context(), want.name)
		if err != nil || got != want.result {
			t.Errorf("got (%q, %v), want %q", got, err, want.result)
		}
		if names := s.polled(); len(names) != 2 || names[0] != want.name {
			t.Errorf("polled %q, want %q twice", names, want.name)
		}
	})
	play("stops with ctx", []answer{running}, func(t *testing.T, s *script, r recipe) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := r.start(ctx)
		if _, ok := errors.AsType[*lro.WaitError](err); !ok || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a WaitError for the deadline", err)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
