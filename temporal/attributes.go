package temporal

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/go-lro/lro/server/engine/enginekit"
)

// Search attributes, both of type Keyword, by which operations are found in
// Temporal's own UI and command. The kind is the activity's type.
const (
	OperationAttribute = "LroOperation" // full resource name
	ParentAttribute    = "LroParent"    // absent for a top-level name
)

const (
	// maxKeyword is what Temporal's SQL stores keep of a Keyword.
	maxKeyword = 255

	attributesTimeout = time.Minute
	attributesPause   = 100 * time.Millisecond
)

// registerAttributes returns once both search attributes can be used.
func registerAttributes(ctx context.Context, service workflowservice.WorkflowServiceClient, operator operatorservice.OperatorServiceClient, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, attributesTimeout)
	defer cancel()
	err := probeAttributes(ctx, service, namespace)
	if err == nil || !isInvalid(err) {
		return convert(ctx, err)
	}
	missing := map[string]enumspb.IndexedValueType{
		OperationAttribute: enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		ParentAttribute:    enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	}
	known, err := operator.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	for name, has := range known.GetCustomAttributes() {
		if want, ours := missing[name]; ours && has != want {
			return fmt.Errorf("search attribute %q of namespace %q is of type %v, want %v", name, namespace, has, want)
		}
		delete(missing, name)
	}
	if err == nil && len(missing) > 0 {
		_, err = operator.AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
			Namespace: namespace, SearchAttributes: missing,
		})
		if _, ok := errors.AsType[*serviceerror.AlreadyExists](err); ok {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("register search attributes: %w; an administrator can run: "+
			"temporal operator search-attribute create --namespace %s --name %s --type Keyword --name %s --type Keyword",
			convert(ctx, err), namespace, OperationAttribute, ParentAttribute)
	}
	// All parts of the service must know them.
	for {
		err := probeAttributes(ctx, service, namespace)
		switch {
		case err == nil:
			return nil
		case !isInvalid(err):
			return fmt.Errorf("wait for search attributes: %w", convert(ctx, err))
		case !enginekit.Pause(ctx, attributesPause):
			return fmt.Errorf("wait for search attributes: %w: %w", convert(ctx, ctx.Err()), err)
		}
	}
}

// probeAttributes uses the search attributes.
func probeAttributes(ctx context.Context, service workflowservice.WorkflowServiceClient, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	_, err := service.ListActivityExecutions(ctx, &workflowservice.ListActivityExecutionsRequest{
		Namespace: namespace, PageSize: 1,
		Query: fmt.Sprintf("%s = 'probe' AND %s = 'probe'", OperationAttribute, ParentAttribute),
	})
	return err
}

func isInvalid(err error) bool {
	_, ok := errors.AsType[*serviceerror.InvalidArgument](err)
	return ok
}
