package kintest

import (
	"cmp"
	"context"

	"google.golang.org/genai"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/lroadapt"
)

// The recipes of docs/kin.md for google.golang.org/genai.

// genaiVideos are the operations of Models.GenerateVideos.
func genaiVideos(client *genai.Client) *lroadapt.Client[*genai.GenerateVideosOperation, *genai.GenerateVideosResponse] {
	return lroadapt.NewClient(lroadapt.Source[*genai.GenerateVideosOperation, *genai.GenerateVideosResponse]{
		Get: func(ctx context.Context, name string, _ ...grpc.CallOption) (*genai.GenerateVideosOperation, error) {
			return client.Operations.GetVideosOperation(ctx, &genai.GenerateVideosOperation{Name: name}, nil)
		},
		State: func(op *genai.GenerateVideosOperation) lroadapt.State[*genai.GenerateVideosResponse] {
			return lroadapt.State[*genai.GenerateVideosResponse]{Done: op.Done, Result: op.Response, Err: lroadapt.StatusError(op.Error)}
		},
	})
}

func generateVideo(ctx context.Context, client *genai.Client, model string, source *genai.GenerateVideosSource) (*genai.GenerateVideosResponse, error) {
	started, err := client.Models.GenerateVideosFromSource(ctx, model, source, nil)
	if err != nil {
		return nil, err
	}
	op, err := genaiVideos(client).Wrap(started.Name, started)
	if err != nil {
		return nil, err
	}
	return op.Wait(ctx)
}

// genaiUploads are the operations of FileSearchStores.UploadToFileSearchStore.
func genaiUploads(client *genai.Client) *lroadapt.Client[*genai.UploadToFileSearchStoreOperation, *genai.UploadToFileSearchStoreResponse] {
	return lroadapt.NewClient(lroadapt.Source[*genai.UploadToFileSearchStoreOperation, *genai.UploadToFileSearchStoreResponse]{
		Get: func(ctx context.Context, name string, _ ...grpc.CallOption) (*genai.UploadToFileSearchStoreOperation, error) {
			return client.Operations.GetUploadToFileSearchStoreOperation(ctx, &genai.UploadToFileSearchStoreOperation{Name: name}, nil)
		},
		State: func(op *genai.UploadToFileSearchStoreOperation) lroadapt.State[*genai.UploadToFileSearchStoreResponse] {
			return lroadapt.State[*genai.UploadToFileSearchStoreResponse]{Done: op.Done, Result: op.Response, Err: lroadapt.StatusError(op.Error)}
		},
	})
}

// genaiBatches are batch jobs.
func genaiBatches(client *genai.Client) *lroadapt.Client[*genai.BatchJob, *genai.BatchJob] {
	return lroadapt.NewClient(lroadapt.Source[*genai.BatchJob, *genai.BatchJob]{
		Get: func(ctx context.Context, name string, _ ...grpc.CallOption) (*genai.BatchJob, error) {
			return client.Batches.Get(ctx, name, nil)
		},
		Cancel: func(ctx context.Context, name string, _ ...grpc.CallOption) error {
			return client.Batches.Cancel(ctx, name, nil)
		},
		State: func(job *genai.BatchJob) lroadapt.State[*genai.BatchJob] {
			return jobState(job.State, lroadapt.StatusError(job.Error), job)
		},
	})
}

// jobState reads a job, which is its own result. err is its error, if it has one.
func jobState[Job any](state genai.JobState, err error, job Job) lroadapt.State[Job] {
	failed := func(code codes.Code) lroadapt.State[Job] {
		return lroadapt.State[Job]{Done: true, Err: status.Error(code, cmp.Or(status.Convert(err).Message(), string(state)))}
	}
	switch state {
	case genai.JobStateSucceeded, genai.JobStatePartiallySucceeded:
		return lroadapt.State[Job]{Done: true, Result: job}
	case genai.JobStateFailed:
		return failed(cmp.Or(status.Code(err), codes.Unknown))
	case genai.JobStateCancelled:
		return failed(codes.Canceled)
	case genai.JobStateExpired:
		return failed(codes.DeadlineExceeded)
	}
	return lroadapt.State[Job]{} // CANCELLING and PAUSED still run
}
