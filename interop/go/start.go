package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/lropb"
)

// starter starts operations of any kind.
type starter interface {
	StartOperation(context.Context, *lropb.StartOperationRequest, ...grpc.CallOption) (*longrunningpb.Operation, error)
}

// restStarter is the starter at a URL.
type restStarter string

// StartOperation implements starter.
func (url restStarter) StartOperation(ctx context.Context, req *lropb.StartOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	path := "/v1/operations:start"
	if req.GetParent() != "" {
		path = "/v1/" + req.GetParent() + "/operations:start"
	}
	body, err := protojson.Marshal(req)
	if err != nil {
		return nil, err
	}
	httpReq, err := http.NewRequestWithContext(ctx, http.MethodPost, string(url)+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	httpReq.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(httpReq)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("start: %s: %s", resp.Status, answer)
	}
	op := new(longrunningpb.Operation)
	return op, protojson.Unmarshal(answer, op)
}

// simulate starts an operation that takes so long, under parent.
func (s *session) simulate(ctx context.Context, parent string, takes time.Duration, req *lropb.SimulateRequest) (*longrunningpb.Operation, error) {
	req.Duration = durationpb.New(takes)
	packed, err := anypb.New(req)
	if err != nil {
		return nil, err
	}
	return s.starter.StartOperation(ctx, &lropb.StartOperationRequest{Parent: parent, Kind: "simulate", Request: packed})
}

// quotaError is what the operations of the scenario failure end with.
func quotaError() (*statuspb.Status, error) {
	detail, err := anypb.New(&errdetails.ErrorInfo{Reason: "QUOTA", Domain: "lro.example", Metadata: map[string]string{"limit": "7"}})
	if err != nil {
		return nil, err
	}
	return &statuspb.Status{Code: int32(codes.ResourceExhausted), Message: "no quota left", Details: []*anypb.Any{detail}}, nil
}
