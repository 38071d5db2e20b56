package lro

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// logLines is a logger and what it has written, a line a record, without times.
type logLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logLines) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}

func (l *logLines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSuffix(l.buf.String(), "\n"), "\n")
}

// eachSecond polls once a second.
var eachSecond = Policy{FirstPoll: time.Second, Multiplier: 1, MaxInterval: time.Second, Jitter: -1, SoftErrors: -1, NotFoundGrace: -1}

const (
	logSubject = " operation=operations/test method=test.Strings"
	logWaiting = `level=INFO msg="waiting for operation"` + logSubject
	logPolled  = `level=DEBUG msg="operation polled"` + logSubject + " rpc=GetOperation"
)

func TestSlogObserver(t *testing.T) {
	t.Parallel()
	odd := &longrunningpb.Operation{Name: testName, Metadata: anyOf(&emptypb.Empty{})}
	tests := []struct {
		name    string
		level   slog.Level
		answers []any // *longrunningpb.Operation or error, one a poll
		want    []string
	}{
		{
			name:    "succeeds",
			level:   slog.LevelDebug,
			answers: []any{running(""), unavailable(2), succeeded("x")},
			want: []string{
				logWaiting,
				logPolled + " number=1 elapsed=0s done=false",
				logPolled + ` number=2 elapsed=0s code=UNAVAILABLE error="rpc error: code = Unavailable desc = down 2"`,
				logPolled + " number=3 elapsed=0s done=true",
				`level=INFO msg="operation done"` + logSubject + " polls=3 elapsed=3s",
			},
		},
		{
			name:    "fails",
			level:   slog.LevelInfo,
			answers: []any{failed(codes.DataLoss, "lost")},
			want: []string{
				logWaiting,
				`level=WARN msg="operation failed"` + logSubject + ` polls=1 elapsed=1s code=DATA_LOSS error="operation \"operations/test\" failed: DATA_LOSS: lost"`,
			},
		},
		{
			name:    "cancelled",
			level:   slog.LevelInfo,
			answers: []any{failed(codes.Canceled, "as asked")},
			want: []string{
				logWaiting,
				`level=INFO msg="operation cancelled"` + logSubject + ` polls=1 elapsed=1s code=CANCELLED error="operation \"operations/test\" was cancelled: as asked"`,
			},
		},
		{
			name:    "gone",
			level:   slog.LevelWarn,
			answers: []any{running(""), status.Error(codes.NotFound, "deleted")},
			want: []string{
				`level=WARN msg="cannot wait for operation any longer"` + logSubject +
					` polls=2 elapsed=2s code=NOT_FOUND error="operation is gone: deleted or expired: rpc error: code = NotFound desc = deleted"`,
			},
		},
		{
			name:    "metadata of another type",
			level:   slog.LevelInfo,
			answers: []any{running(""), odd, odd, succeeded("x")},
			want: []string{
				logWaiting,
				`level=WARN msg="metadata of operation is not of the declared type"` + logSubject +
					` error="metadata of operation \"operations/test\": type is \"type.googleapis.com/google.protobuf.Empty\", not \"google.protobuf.StringValue\""`,
				`level=INFO msg="operation done"` + logSubject + " polls=4 elapsed=4s",
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var lines logLines
				service := &fakeService{get: func(_ context.Context, n int) (*longrunningpb.Operation, error) {
					if err, ok := test.answers[n-1].(error); ok {
						return nil, err
					}
					return test.answers[n-1].(*longrunningpb.Operation), nil
				}}
				op := wrap(t, service.pollOnly(), WithPolicy(eachSecond), WithObserver(SlogObserver(lines.logger(test.level))))
				_, _ = op.Wait(t.Context()) // the log tells how it ended
				synctest.Wait()             // for the end of the loop, which is logged after the waiter is woken
				if diff := cmp.Diff(test.want, lines.all()); diff != "" {
					t.Errorf("log (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestSlogObserverOfLeftOperation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lines logLines
		op := wrap(t, (&fakeService{get: endsAt(time.Hour)}).pollOnly(), WithPolicy(eachSecond), WithObserver(SlogObserver(lines.logger(slog.LevelInfo))))
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		if _, err := op.Wait(ctx); err == nil {
			t.Fatal("Wait of a running operation: got no error")
		}
		synctest.Wait()
		want := []string{
			logWaiting,
			`level=INFO msg="no caller waits for operation any more"` + logSubject + " polls=3 elapsed=2.5s",
		}
		if diff := cmp.Diff(want, lines.all()); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

func TestSlogObserverOfStart(t *testing.T) {
	t.Parallel()
	var lines logLines
	var id string
	c := NewClient(&fakeService{}, WithObserver(SlogObserver(lines.logger(slog.LevelInfo))))
	_, err := Strings.Start(t.Context(), c, func(_ context.Context, requestID string, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
		id = requestID
		return running(""), nil
	})
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	want := []string{`level=INFO msg="operation started"` + logSubject + " request_id=" + id}
	if diff := cmp.Diff(want, lines.all()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestSlogObserverNil(t *testing.T) {
	t.Parallel()
	if o := SlogObserver(nil); o != nil {
		t.Errorf("SlogObserver(nil): got %v, want nil", o)
	}
}
