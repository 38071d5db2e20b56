package lro

import (
	"errors"
	"math"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Whatever a service sends as an operation must not panic, and a done one must
// have exactly one of a result and an error.
func FuzzOperation(f *testing.F) {
	for _, op := range []*longrunningpb.Operation{
		running("half"), succeeded("x"), failed(codes.NotFound, "gone", durationpb.New(1)), failed(codes.OK, ""),
		doneWith(nil), doneWith(anyOf(&emptypb.Empty{})), {},
	} {
		wire, err := proto.Marshal(op)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	c := NewClient(&fakeService{})
	f.Fuzz(func(t *testing.T, wire []byte) {
		sent := &longrunningpb.Operation{}
		if proto.Unmarshal(wire, sent) != nil {
			return
		}
		op, err := Strings.Wrap(c, sent)
		if err != nil {
			if sent.GetDone() || sent.GetName() != "" {
				t.Errorf("Wrap(%v): %v", sent, err)
			}
			return
		}
		_, ok := op.Metadata()
		if (op.Snapshot().MetadataErr() == nil) != ok {
			t.Errorf("Metadata of %v: %v, but MetadataErr %v", sent, ok, op.Snapshot().MetadataErr())
		}
		got, err := op.Result()
		switch {
		case op.Done() && (got == nil) == (err == nil):
			t.Errorf("Result of %v = %v, %v, want one of them", sent, got, err)
		case !op.Done() && !errors.Is(err, ErrNotDone):
			t.Errorf("Result of %v: %v, want ErrNotDone", sent, err)
		}
		if err != nil && err.Error() == "" {
			t.Errorf("Result of %v: an error without text", sent)
		}
		_ = AimByProgress(defaultPolicy)(Raw{sent.GetName(), op.known()}, time.Second)
		again, err := Strings.Resume(c, op.Token())
		if sent.GetName() != "" && (err != nil || again.Name() != op.Name()) {
			t.Errorf("Resume(Token of %q) = %v, %v", op.Name(), again, err)
		}
	})
}

// Whatever progress says, the next poll is within MaxInterval.
func FuzzAim(f *testing.F) {
	f.Add(1.0, 10.0, 2.0, 20.0)
	f.Add(0.1, 0.0, 0.1, 100.0)
	f.Add(1e9, 99.0, 1e-9, 1.0)
	f.Add(math.NaN(), math.Inf(1), -1.0, math.MaxFloat64)
	f.Fuzz(func(t *testing.T, t1, p1, t2, p2 float64) {
		a := &aim{policy: defaultPolicy}
		for _, r := range []reading{{t1, p1}, {t1 + t2, p2}, {t1 + 2*t2, p2}} {
			if d := a.after(r.t, r.p, r.t); d < 0 || d > defaultPolicy.MaxInterval+time.Millisecond {
				t.Errorf("after(%v, %v) = %v, want within [0, %v]", r.t, r.p, d, defaultPolicy.MaxInterval)
			}
		}
	})
}
