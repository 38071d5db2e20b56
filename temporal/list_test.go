package temporal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
	"github.com/go-lro/lro/temporal/internal/statepb"
)

// visibility is a Temporal service with activities, of which it lists as many
// as Temporal does, and in no useful order.
type visibility struct {
	workflowservice.WorkflowServiceClient
	rows  []*activitypb.ActivityExecutionListInfo
	lists int
}

var bound = regexp.MustCompile(`StartTime (<=|>=) '([^']*)'`)

func (v *visibility) match(query string) []*activitypb.ActivityExecutionListInfo {
	from, to := time.Time{}, time.Now().Add(time.Hour)
	for _, m := range bound.FindAllStringSubmatch(query, -1) {
		at, err := time.Parse(time.RFC3339Nano, m[2])
		if err != nil {
			panic(err)
		}
		if m[1] == "<=" {
			to = at
		} else {
			from = at
		}
	}
	var found []*activitypb.ActivityExecutionListInfo
	for _, row := range v.rows {
		if at := row.GetScheduleTime().AsTime(); !at.Before(from) && !at.After(to) {
			found = append(found, row)
		}
	}
	return found
}

func (v *visibility) ListActivityExecutions(_ context.Context, req *workflowservice.ListActivityExecutionsRequest, _ ...grpc.CallOption) (*workflowservice.ListActivityExecutionsResponse, error) {
	v.lists++
	found := v.match(req.GetQuery())
	skip := 0
	if len(req.GetNextPageToken()) > 0 {
		if _, err := fmt.Sscan(string(req.GetNextPageToken()), &skip); err != nil {
			return nil, err
		}
	}
	found = found[skip:]
	resp := &workflowservice.ListActivityExecutionsResponse{Executions: found}
	if n := int(req.GetPageSize()); len(found) >= n {
		resp.Executions, resp.NextPageToken = found[:n], fmt.Append(nil, skip+n)
	}
	return resp, nil
}

func (v *visibility) CountActivityExecutions(_ context.Context, req *workflowservice.CountActivityExecutionsRequest, _ ...grpc.CallOption) (*workflowservice.CountActivityExecutionsResponse, error) {
	return &workflowservice.CountActivityExecutionsResponse{Count: int64(len(v.match(req.GetQuery())))}, nil
}

func (v *visibility) DescribeActivityExecution(_ context.Context, req *workflowservice.DescribeActivityExecutionRequest, _ ...grpc.CallOption) (*workflowservice.DescribeActivityExecutionResponse, error) {
	input, err := encode(&statepb.Input{Queue: "q", Name: enginekit.FormatName("p", req.GetActivityId()), Parent: "p", CrashLimit: 5})
	return &workflowservice.DescribeActivityExecutionResponse{
		Info: &activitypb.ActivityExecutionInfo{
			ActivityId: req.GetActivityId(), Status: enumspb.ACTIVITY_EXECUTION_STATUS_RUNNING,
			RunState: enumspb.PENDING_ACTIVITY_STATE_SCHEDULED, Attempt: 1, ActivityType: &commonpb.ActivityType{Name: "k"},
		},
		Input: input,
	}, err
}

func newVisibility(n int, at func(i int) time.Time) *visibility {
	v := new(visibility)
	for i := range n {
		id, _ := newID("q", "", "")
		v.rows = append(v.rows, &activitypb.ActivityExecutionListInfo{ActivityId: id, ScheduleTime: timestamppb.New(at(i))})
	}
	return v
}

// want are the IDs in the order of a list.
func (v *visibility) want() []string {
	rows := slices.Clone(v.rows)
	slices.SortFunc(rows, func(a, b *activitypb.ActivityExecutionListInfo) int {
		if c := b.GetScheduleTime().AsTime().Compare(a.GetScheduleTime().AsTime()); c != 0 {
			return c
		}
		return strings.Compare(b.GetActivityId(), a.GetActivityId())
	})
	var ids []string
	for _, row := range rows {
		ids = append(ids, row.GetActivityId())
	}
	return ids
}

func TestListMany(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	r := rand.New(rand.NewPCG(1, 2))
	for name, at := range map[string]func(int) time.Time{
		"evenly over a day":        func(i int) time.Time { return now.Add(-time.Duration(i) * 24 * time.Second) },
		"in bursts":                func(i int) time.Time { return now.Add(-time.Duration(i/900) * 1000 * time.Hour) },
		"at random over years":     func(int) time.Time { return now.Add(-time.Duration(r.Int64N(int64(3 * 365 * 24 * time.Hour)))) },
		"most of them an hour old": func(i int) time.Time { return now.Add(-time.Hour + time.Duration(i)*time.Millisecond) },
		"many in each microsecond": func(i int) time.Time {
			return now.Add(-time.Duration(i/3) * time.Microsecond).Truncate(time.Microsecond)
		},
		"all in the same moment":     func(int) time.Time { return now },
		"by a clock that runs ahead": func(i int) time.Time { return now.Add(30*time.Second - time.Duration(i)*time.Second) },
	} {
		for _, n := range []int{0, 1, maxRows - 1, maxRows, maxRows + 1, 2600} {
			t.Run(fmt.Sprintf("%s %d", name, n), func(t *testing.T) {
				v := newVisibility(n, at)
				e := &Engine{opts: Options{TaskQueue: "q"}, service: v, closing: t.Context(), attempts: map[string]*attempt{}}
				got := []string{}
				q := engine.Query{AnyParent: true, Limit: 70}
				pages := 0
				for {
					p, err := e.List(t.Context(), q)
					if err != nil {
						t.Fatalf("List() = %v", err)
					}
					for _, rec := range p.Records {
						got = append(got, strings.TrimPrefix(rec.Name, "p/operations/"))
					}
					pages++
					if q.After = p.Next; q.After == "" {
						break
					}
				}
				if want := v.want(); !slices.Equal(got, want) && len(want)+len(got) > 0 {
					t.Fatalf("List() has %d operations in %d pages, want %d in order", len(got), pages, len(want))
				}
				if v.lists > 5*pages+10 {
					t.Errorf("%d pages cost %d lists of visibility", pages, v.lists)
				}
			})
		}
	}
}

// TestListLooksAtFew: a page does not look at everything for one match.
func TestListLooksAtFew(t *testing.T) {
	t.Parallel()
	v := newVisibility(900, func(i int) time.Time { return time.Now().Add(-time.Duration(i) * time.Second) })
	e := &Engine{opts: Options{TaskQueue: "q"}, service: v, closing: t.Context(), attempts: map[string]*attempt{}}
	looked := 0
	p, err := e.List(t.Context(), engine.Query{AnyParent: true, Limit: 5, Where: engine.Where{
		Match: func(*engine.Record) bool { looked++; return false },
	}})
	if err != nil || len(p.Records) > 0 || p.Next == "" || looked != maxLook {
		t.Errorf("List() = %d records, next %q, %v after a look at %d; want none, another page, %d looks", len(p.Records), p.Next, err, looked, maxLook)
	}
}
