package simulate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
)

// fakeTask records what an attempt does.
type fakeTask struct {
	attempt    int
	checkpoint []byte
	reports    []*lropb.OperationMetadata
	saves      [][]byte
}

func (f *fakeTask) Attempt() int       { return max(1, f.attempt) }
func (f *fakeTask) Checkpoint() []byte { return f.checkpoint }
func (f *fakeTask) Report(m *lropb.OperationMetadata) error {
	f.reports = append(f.reports, proto.CloneOf(m))
	return nil
}
func (f *fakeTask) Save(_ context.Context, checkpoint []byte) error {
	f.saves = append(f.saves, slices.Clone(checkpoint))
	return nil
}

func TestRun(t *testing.T) {
	t.Parallel()
	failure := &spb.Status{Code: int32(codes.DataLoss), Message: "asked for"}
	tests := []struct {
		name    string
		req     *lropb.SimulateRequest
		took    time.Duration
		reports int
		saves   int
		err     *spb.Status
	}{
		{name: "nothing", req: &lropb.SimulateRequest{}, reports: 11},
		{name: "minute", req: &lropb.SimulateRequest{Duration: durationpb.New(time.Minute), Steps: 6, Echo: "hello"}, took: time.Minute, reports: 7, saves: 6},
		{name: "many steps", req: &lropb.SimulateRequest{Duration: durationpb.New(time.Second), Steps: 10_000}, took: time.Second, reports: 10_001, saves: 2},
		{name: "fails", req: &lropb.SimulateRequest{Duration: durationpb.New(time.Second), Steps: 1, Error: failure}, took: time.Second, reports: 2, saves: 1, err: failure},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				task := &fakeTask{}
				got, err := run(t.Context(), task, tt.req)
				var want *lropb.SimulateResponse
				if tt.err == nil {
					want = &lropb.SimulateResponse{Echo: tt.req.GetEcho(), Attempts: 1}
				}
				if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
					t.Errorf("run(%v) (-want +got):\n%s", tt.req, diff)
				}
				if diff := cmp.Diff(tt.err, status.Convert(err).Proto(), protocmp.Transform()); tt.err != nil && diff != "" || tt.err == nil && err != nil {
					t.Errorf("run(%v) = %v, want error %v", tt.req, err, tt.err)
				}
				if took := time.Since(begin); took != tt.took || len(task.reports) != tt.reports || len(task.saves) != tt.saves {
					t.Errorf("run(%v) took %v with %d reports and %d checkpoints, want %v, %d and %d",
						tt.req, took, len(task.reports), len(task.saves), tt.took, tt.reports, tt.saves)
				}
				if p := task.reports[len(task.reports)-1].GetProgress(); p.GetDone() != p.GetTotal() {
					t.Errorf("run(%v) ended with progress %v, want all done", tt.req, p)
				}
			})
		})
	}
}

func TestResume(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		task := &fakeTask{attempt: 2, checkpoint: encodeStep(7)}
		got, err := run(t.Context(), task, &lropb.SimulateRequest{Duration: durationpb.New(10 * time.Second)})
		if err != nil || got.GetAttempts() != 2 {
			t.Errorf("run = %v, %v, want a response after 2 attempts", got, err)
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("run from step 7 of 10 took %v, want 3s", took)
		}
		if got, want := task.reports[0].GetStatusMessage(), "resumed after step 7 of 10"; got != want {
			t.Errorf("status message %q, want %q", got, want)
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(server.ErrCancelRequested) })
		begin := time.Now()
		_, err := run(ctx, &fakeTask{}, &lropb.SimulateRequest{Duration: durationpb.New(24 * time.Hour)})
		if !errors.Is(err, server.ErrCancelRequested) || time.Since(begin) != time.Minute {
			t.Errorf("run cancelled after a minute = %v after %v", err, time.Since(begin))
		}
	})
}

func TestValidate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		req  *lropb.SimulateRequest
		want string // part of the error; empty for none
	}{
		{&lropb.SimulateRequest{}, ""},
		{&lropb.SimulateRequest{Duration: durationpb.New(24 * time.Hour), Steps: 10_000, Error: &spb.Status{Code: 16}}, ""},
		{&lropb.SimulateRequest{Duration: durationpb.New(24*time.Hour + 1)}, "duration 24h0m0.000000001s"},
		{&lropb.SimulateRequest{Duration: durationpb.New(-1)}, "duration -1ns"},
		{&lropb.SimulateRequest{Duration: &durationpb.Duration{Seconds: 1 << 60}}, "duration: "},
		{&lropb.SimulateRequest{Steps: -1}, "steps -1"},
		{&lropb.SimulateRequest{Steps: 10_001}, "steps 10001"},
		{&lropb.SimulateRequest{Error: &spb.Status{Code: 17}}, "error code 17"},
		{&lropb.SimulateRequest{Error: &spb.Status{Code: -1}}, "error code -1"},
	}
	for _, tt := range tests {
		err := validate(t.Context(), tt.req)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("validate(%v) = %v, want %q", tt.req, err, tt.want)
		}
	}
}

func FuzzDecodeStep(f *testing.F) {
	f.Add([]byte(nil), int64(10))
	f.Add(encodeStep(7), int64(10))
	f.Add(encodeStep(11), int64(10))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, int64(10))
	f.Fuzz(func(t *testing.T, checkpoint []byte, steps int64) {
		if steps < 1 || steps > maxSteps {
			return
		}
		if got := decodeStep(checkpoint, steps); got < 0 || got > steps {
			t.Errorf("decodeStep(%x, %d) = %d, want a step", checkpoint, steps, got)
		}
	})
}
