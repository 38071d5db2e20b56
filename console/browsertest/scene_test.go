package browsertest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/go-lro/lro/console"
	"github.com/go-lro/lro/lropb"
)

// scene is a source with an hour of a library's operations, for pictures. It
// does not move.
type scene struct {
	ops []console.Operation
}

// sceneTime is when the operation with this number, the newest being 0, was
// created before now.
func sceneTime(i int) time.Duration {
	return time.Duration(i*i)*time.Second/6 + time.Duration(i)*2*time.Second
}

func newScene(t testing.TB) *scene {
	r := rand.New(rand.NewPCG(1, 2))
	now := time.Now()
	kinds := []struct {
		name, target, message, unit string
		total                       int64
		typical                     time.Duration
	}{
		{"export", "shelves/east-12", "Copying books to the archive", "books", 1200, 4 * time.Minute},
		{"reindex", "catalogues/autumn", "Reading the catalogue", "volumes", 48, 40 * time.Second},
		{"transcode-video", "videos/opening-speech.mp4", "Second pass", "frames", 43200, 11 * time.Minute},
		{"import", "donations/2026-11", "Checking titles", "records", 9000, 90 * time.Second},
	}
	s := &scene{}
	for i := range 150 {
		k := kinds[r.IntN(len(kinds))]
		created := now.Add(-sceneTime(i))
		started := created.Add(time.Duration(r.ExpFloat64() * float64(2*time.Second)))
		took := time.Duration((0.3 + r.ExpFloat64()) * float64(k.typical))
		info := &console.Info{
			Kind: k.name, Attempt: 1, CreateTime: created, StartTime: started, UpdateTime: now.Add(-time.Second),
			Request: pack(t, &lropb.SimulateRequest{Echo: k.target, Duration: durationpb.New(took.Round(time.Second))}),
		}
		md := &lropb.OperationMetadata{Target: k.target, Verb: k.name, Attempt: 1, CreateTime: timestamppb.New(created), StartTime: timestamppb.New(started)}
		op := &longrunningpb.Operation{Name: fmt.Sprintf("projects/library/operations/o%019d", 7919*(1000-i)%1000003)}
		share := float64(now.Sub(started)) / float64(took)
		switch {
		case i < 2:
			info.State, info.StartTime, md.StartTime, info.Attempt = lropb.OperationMetadata_PENDING, time.Time{}, nil, 0
			md.Target = ""
		case share < 1:
			info.State = lropb.OperationMetadata_RUNNING
			done := int64(share * float64(k.total))
			md.StatusMessage, md.ProgressPercent = k.message, int32(share*100)
			md.Progress = &lropb.Progress{Done: done, Total: k.total, Unit: k.unit}
		default:
			info.EndTime = started.Add(took)
			op.Done = true
			md.ProgressPercent, md.Progress = 100, &lropb.Progress{Done: k.total, Total: k.total, Unit: k.unit}
			s.end(t, op, info, md, r.IntN(16))
		}
		md.State = info.State
		op.Metadata = pack(t, md)
		s.ops = append(s.ops, console.Operation{Message: op, Info: info})
	}
	return s
}

func (s *scene) end(t testing.TB, op *longrunningpb.Operation, info *console.Info, md *lropb.OperationMetadata, dice int) {
	info.State = lropb.OperationMetadata_SUCCEEDED
	op.Result = &longrunningpb.Operation_Response{Response: pack(t, &lropb.SimulateResponse{Echo: md.GetTarget()})}
	if dice > 1 {
		return
	}
	info.State = lropb.OperationMetadata_FAILED
	md.ProgressPercent, md.Progress.Done = 63, md.Progress.GetTotal()*63/100
	op.Result = &longrunningpb.Operation_Error{Error: locked(t)}
	if dice == 0 {
		info.State = lropb.OperationMetadata_CANCELLED
		info.CancelTime = info.EndTime.Add(-2 * time.Second)
		op.Result = &longrunningpb.Operation_Error{Error: &spb.Status{Code: 1, Message: "cancel requested"}}
	}
}

// first returns the newest operation in a state.
func (s *scene) first(state console.State) string {
	for _, op := range s.ops {
		if op.Info.State == state {
			return op.Message.GetName()
		}
	}
	return ""
}

func (s *scene) List(_ context.Context, q console.Query) (console.Page, error) {
	var p console.Page
	for _, op := range s.ops {
		if _, state, ok := strings.Cut(q.Filter, "state = "); ok && op.Info.State.String() != state {
			continue
		}
		if len(p.Operations) == q.PageSize {
			p.Next = "next"
			break
		}
		p.Operations = append(p.Operations, op)
	}
	return p, nil
}

func (s *scene) Get(_ context.Context, name string) (console.Operation, error) {
	for _, op := range s.ops {
		if op.Message.GetName() == name {
			return op, nil
		}
	}
	return console.Operation{}, status.Errorf(codes.NotFound, "operation %q was not found", name)
}

func (s *scene) Cancel(context.Context, string) error { return errors.ErrUnsupported }
func (s *scene) Delete(context.Context, string) error { return errors.ErrUnsupported }

func (s *scene) Watch(ctx context.Context) (iter.Seq2[console.Change, error], error) {
	return func(yield func(console.Change, error) bool) {
		<-ctx.Done()
		yield(console.Change{}, ctx.Err())
	}, nil
}

func (s *scene) Count(context.Context) (console.Counts, error) {
	counts := console.Counts{}
	for _, op := range s.ops {
		if counts[op.Info.Kind] == nil {
			counts[op.Info.Kind] = map[console.State]int64{}
		}
		counts[op.Info.Kind][op.Info.State]++
	}
	return counts, nil
}

func (s *scene) History(ctx context.Context, name string) ([]console.Event, error) {
	op, err := s.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	i := op.Info
	events := []console.Event{
		{Time: i.CreateTime, Type: console.EventCreated},
		{Time: i.StartTime, Type: console.EventAttemptStarted, Attempt: 1},
		{Time: i.StartTime.Add(3 * time.Second), Type: console.EventCheckpoint, Attempt: 1},
	}
	if !i.EndTime.IsZero() {
		events = append(events, console.Event{Time: i.EndTime, Type: console.EventEnded, Attempt: 1, Text: op.Message.GetError().GetMessage()})
	}
	return events, nil
}

func (s *scene) FiltersState(context.Context) bool { return true }
