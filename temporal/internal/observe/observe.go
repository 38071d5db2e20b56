package observe

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/go-lro/lro/temporal"
)

// Holder is who runs an operation, or ran it last.
type Holder struct {
	Worker  string    // identity of its worker; empty when none has run it yet
	Attempt int32     // as Temporal counts
	Since   time.Time // when that attempt began, by Temporal's clock
	Ended   bool      // whether the operation has
}

// Identity is what the engine of a process of this machine calls itself, unless
// it is given another name.
func Identity(pid int) string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%d@%s", pid, host)
}

// Holders returns the holders of all operations of a kind, by name, as far as
// Temporal lists them: an operation just started may be missing. There may be
// 1000 operations at most.
func Holders(ctx context.Context, service workflowservice.WorkflowServiceClient, namespace, kind string) (map[string]Holder, error) {
	list, err := service.ListActivityExecutions(ctx, &workflowservice.ListActivityExecutionsRequest{
		Namespace: namespace, PageSize: 1000, Query: fmt.Sprintf("ActivityType = %q", kind),
	})
	if err != nil {
		return nil, fmt.Errorf("list activities: %w", err)
	}
	all := make(map[string]Holder)
	for _, row := range list.GetExecutions() {
		d, err := service.DescribeActivityExecution(ctx, &workflowservice.DescribeActivityExecutionRequest{
			Namespace: namespace, ActivityId: row.GetActivityId(), RunId: row.GetRunId(),
		})
		if err != nil {
			return nil, fmt.Errorf("describe activity: %w", err)
		}
		info := d.GetInfo()
		payload := info.GetSearchAttributes().GetIndexedFields()[temporal.OperationAttribute]
		name, err := strconv.Unquote(string(payload.GetData()))
		if err != nil {
			return nil, fmt.Errorf("read search attribute %s %q: %w", temporal.OperationAttribute, payload.GetData(), err)
		}
		all[name] = Holder{info.GetLastWorkerIdentity(), info.GetAttempt(), info.GetLastStartedTime().AsTime(),
			info.GetStatus() != enumspb.ACTIVITY_EXECUTION_STATUS_RUNNING}
	}
	return all, nil
}
