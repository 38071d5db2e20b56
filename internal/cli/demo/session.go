package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/cli/host"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/internal/kinds/checksum"
	"github.com/go-lro/lro/lropb"
)

// method is the RPC that starts the operation, as a client declares it. What
// moves on a screen has to be asked for more often than the default.
var method = lro.Method[*lropb.ChecksumResponse, *lropb.OperationMetadata]{
	Name:   "lro.v1.Starter.StartOperation",
	Policy: &lro.Policy{MaxInterval: 200 * time.Millisecond},
}

// session is the client's part of a demo.
type session struct {
	*options
	host *host.Host
	conn *grpc.ClientConn
	op   *lro.Operation[*lropb.ChecksumResponse, *lropb.OperationMetadata]

	kept  bool  // op was begun by an earlier run
	after int32 // the last attempt of that run
}

// run does what a client does that reaches the server at addr. found is the
// operation that an earlier run left, nil for none.
func (s *session) run(ctx context.Context, found *left, addr string) error {
	var err error
	s.conn, err = grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer s.conn.Close()
	if err := s.begin(ctx, found); err != nil {
		return err
	}
	return s.wait(ctx)
}

// begin takes up the operation that an earlier run left, or starts one.
func (s *session) begin(ctx context.Context, found *left) error {
	client := lro.NewClientConn(s.conn)
	if found != nil {
		return s.goOn(client, found)
	}
	started, err := s.start(ctx)
	if err != nil {
		return err
	}
	if s.op, err = method.Wrap(client, started); err != nil {
		return err
	}
	fmt.Fprintf(s.io.Err, "started %s: checksums of %s\n", term.Clean(s.op.Name()), term.Clean(s.dir))
	return nil
}

// goOn takes up an operation of an earlier run.
func (s *session) goOn(client *lro.Client, found *left) (err error) {
	if s.op, err = method.Wrap(client, found.op); err != nil {
		return err
	}
	s.kept, s.dir, s.after = true, found.request.GetDir(), found.attempt
	fmt.Fprintf(s.io.Err, "found %s unfinished by an earlier run: resuming %s\n", term.Clean(s.op.Name()), term.Clean(s.dir))
	if kept := found.request.GetPace().AsDuration(); s.pace != kept && s.pace != 0 {
		fmt.Fprintf(s.io.Err, "it keeps its pace of %v\n", kept)
	}
	return nil
}

// left is an operation that an earlier run left.
type left struct {
	op      *longrunningpb.Operation
	request *lropb.ChecksumRequest
	attempt int32
}

// unfinished returns the operation to resume, or nil: the latest for the given
// directory, or for any directory if none was given.
func (s *session) unfinished(ctx context.Context) (*left, error) {
	req := &longrunningpb.ListOperationsRequest{Filter: "done:false"}
	var found *left
	for {
		// The server's own view, since only that has the request.
		records, next, err := s.host.Inspect().List(ctx, req)
		if err != nil {
			return nil, fmt.Errorf("find an unfinished operation: %w", err)
		}
		for _, rec := range records {
			l := &left{s.host.Inspect().View(rec), &lropb.ChecksumRequest{}, int32(rec.Attempt)}
			switch {
			case rec.Kind != checksum.Kind.Name || rec.Request.UnmarshalTo(l.request) != nil:
			case found == nil && (!s.chosen || l.request.GetDir() == s.dir):
				found = l
			default:
				fmt.Fprintf(s.io.Err, "%s of %s is unfinished too, and continues while this runs\n",
					term.Clean(rec.Name), term.Clean(l.request.GetDir()))
			}
		}
		if next == "" {
			return found, nil
		}
		req.PageToken = next
	}
}

func (s *session) start(ctx context.Context) (*longrunningpb.Operation, error) {
	req := &lropb.ChecksumRequest{Dir: s.dir}
	if s.pace > 0 {
		req.Pace = durationpb.New(s.pace)
	}
	packed, err := anypb.New(req)
	if err != nil {
		return nil, fmt.Errorf("directory %q: %w", s.dir, err)
	}
	op, err := lropb.NewStarterClient(s.conn).StartOperation(ctx, &lropb.StartOperationRequest{
		Kind: checksum.Kind.Name, Request: packed,
	})
	if err != nil {
		return nil, fmt.Errorf("start operation: %w", err)
	}
	return op, nil
}

// wait shows the operation until it is done, and prints its result.
func (s *session) wait(ctx context.Context) error {
	meter := term.NewMeter(s.io, false)
	defer meter.Stop()
	told := !s.kept
	for snapshot, err := range s.op.Progress(ctx) {
		if err != nil {
			return err
		}
		m, ok := snapshot.Metadata()
		if !ok {
			continue
		}
		if !told && m.GetAttempt() > s.after && m.GetStatusMessage() != "" && m.GetProgress().GetTotal() > 0 {
			told = true
			if err := meter.Println(s.io.Err, fmt.Sprintf("%s %s", term.Clean(snapshot.Name()), term.Clean(m.GetStatusMessage()))); err != nil {
				return err
			}
		}
		meter.Update(progressOf(m))
	}
	meter.Stop()
	result, err := s.op.Result()
	if err != nil {
		return err
	}
	return s.print(result, meter.Elapsed())
}

func progressOf(m *lropb.OperationMetadata) term.Progress {
	p := term.Progress{
		Percent: -1,
		Done:    m.GetProgress().GetDone(),
		Total:   m.GetProgress().GetTotal(),
		Unit:    m.GetProgress().GetUnit(),
		Text:    m.GetProgress().GetMessage(),
	}
	if p.Total > 0 {
		p.Percent = int(m.GetProgressPercent())
		return p
	}
	if p.Text = m.GetStatusMessage(); p.Text == "" {
		p.Text = "waiting to run"
	}
	return p
}

// result is the output for programs; see docs/cli_json.md.
type result struct {
	Operation     string  `json:"operation"`
	Dir           string  `json:"dir"`
	Files         int64   `json:"files"`
	Bytes         int64   `json:"bytes"`
	Digest        string  `json:"digest"`
	Attempts      int32   `json:"attempts"`
	Resumed       bool    `json:"resumed"`
	StatusMessage string  `json:"statusMessage"`
	Elapsed       float64 `json:"elapsedSeconds"`
}

func (s *session) print(resp *lropb.ChecksumResponse, elapsed time.Duration) error {
	m, _ := s.op.Metadata()
	if s.output.JSON() {
		text, err := json.Marshal(result{
			Operation: s.op.Name(), Dir: s.dir,
			Files: resp.GetFiles(), Bytes: resp.GetBytes(), Digest: resp.GetDigest(),
			Attempts: m.GetAttempt(), Resumed: s.kept, StatusMessage: m.GetStatusMessage(),
			Elapsed: elapsed.Seconds(),
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.io.Out, "%s\n", term.CleanJSON(text))
		return err
	}
	fmt.Fprintf(s.io.Err, "done in %s\n", term.Duration(elapsed))
	for _, e := range m.GetPartialErrors() {
		fmt.Fprintf(s.io.Err, "not counted: %s\n", term.Clean(e.GetMessage()))
	}
	_, err := fmt.Fprintf(s.io.Out, "files   %s\nbytes   %s\ndigest  %s\n",
		term.Count(resp.GetFiles()), term.Count(resp.GetBytes()), resp.GetDigest())
	return err
}
