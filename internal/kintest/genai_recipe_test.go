package kintest

import (
	"cmp"
	"context"
	"errors"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/api/googleapi"
	"google.golang.org/genai"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/go-lro/lro"
)

// The recipes of docs/kin.md for google.golang.org/genai.

// genaiError gives an error of package genai the code of its HTTP status.
func genaiError(err error) error {
	if answer, ok := errors.AsType[genai.APIError](err); ok {
		known := &googleapi.Error{Code: answer.Code, Message: answer.Message}
		known.Wrap(err)
		err = known
	}
	return restError(err)
}

// genaiState returns an operation of package genai, whose response is an R.
func genaiState[R any](name string, done bool, metadata, failed map[string]any, response *R) (*longrunningpb.Operation, error) {
	meta, metaErr := pack(metadata)
	result, resultErr := pack(response)
	state := &longrunningpb.Operation{Name: name, Metadata: meta, Done: done}
	switch {
	case !done:
	case failed != nil:
		code, _ := failed["code"].(float64)
		message, _ := failed["message"].(string)
		state.Result = &longrunningpb.Operation_Error{Error: status.New(codes.Code(code), message).Proto()}
	case result != nil:
		state.Result = &longrunningpb.Operation_Response{Response: result}
	}
	return state, errors.Join(metaErr, resultErr)
}

// genaiVideos are the operations of Models.GenerateVideos.
func genaiVideos(client *genai.Client) lro.Service {
	return lro.GetFunc(func(ctx context.Context, name string) (*longrunningpb.Operation, error) {
		op, err := client.Operations.GetVideosOperation(ctx, &genai.GenerateVideosOperation{Name: name}, nil)
		if err != nil {
			return nil, genaiError(err)
		}
		return genaiState(name, op.Done, op.Metadata, op.Error, op.Response)
	})
}

// genaiUploads are the operations of FileSearchStores.UploadToFileSearchStore.
func genaiUploads(client *genai.Client) lro.Service {
	return lro.GetFunc(func(ctx context.Context, name string) (*longrunningpb.Operation, error) {
		op, err := client.Operations.GetUploadToFileSearchStoreOperation(ctx, &genai.UploadToFileSearchStoreOperation{Name: name}, nil)
		if err != nil {
			return nil, genaiError(err)
		}
		return genaiState(name, op.Done, op.Metadata, op.Error, op.Response)
	})
}

var genaiMethod lro.Method[*structpb.Struct, *structpb.Struct]

func generateVideo(ctx context.Context, client *lro.Client, models *genai.Models, model string, source *genai.GenerateVideosSource) (*genai.GenerateVideosResponse, error) {
	started, err := models.GenerateVideosFromSource(ctx, model, source, nil)
	if err != nil {
		return nil, err
	}
	op, err := genaiMethod.Wrap(client, &longrunningpb.Operation{Name: started.Name})
	if err != nil {
		return nil, err
	}
	done, err := op.Wait(ctx)
	if err != nil {
		return nil, err
	}
	return unpack[genai.GenerateVideosResponse](done)
}

// genaiBatches has batch jobs.
type genaiBatches struct {
	batches *genai.Batches
}

func (s genaiBatches) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	job, err := s.batches.Get(ctx, req.GetName(), nil)
	if err != nil {
		return nil, genaiError(err)
	}
	failed := &spb.Status{Message: string(job.State)} // code 0 of an error counts as UNKNOWN
	if e := job.Error; e != nil {
		failed = &spb.Status{Code: *cmp.Or(e.Code, new(int32)), Message: e.Message}
	}
	return jobState(req.GetName(), job.State, failed, job)
}

// jobState returns a job, which is its own metadata and result.
func jobState(name string, state genai.JobState, failed *spb.Status, job any) (*longrunningpb.Operation, error) {
	packed, err := pack(job)
	op := &longrunningpb.Operation{Name: name, Metadata: packed, Done: true, Result: &longrunningpb.Operation_Error{Error: failed}}
	switch state {
	case genai.JobStateSucceeded, genai.JobStatePartiallySucceeded:
		op.Result = &longrunningpb.Operation_Response{Response: packed}
	case genai.JobStateFailed:
	case genai.JobStateCancelled:
		failed.Code = int32(codes.Canceled)
	case genai.JobStateExpired:
		failed.Code = int32(codes.DeadlineExceeded)
	default: // CANCELLING and PAUSED still run
		op.Done, op.Result = false, nil
	}
	return op, err
}

func (s genaiBatches) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest, _ ...grpc.CallOption) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, genaiError(s.batches.Cancel(ctx, req.GetName(), nil))
}
