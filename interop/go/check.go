package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro/lropb"
)

// checkStarted says whether op is an operation of simulate under parent that
// has just begun.
func checkStarted(op *longrunningpb.Operation, parent string) error {
	prefix := "operations/"
	if parent != "" {
		prefix = parent + "/operations/"
	}
	md := new(lropb.OperationMetadata)
	if err := op.GetMetadata().UnmarshalTo(md); err != nil {
		return err
	}
	switch {
	case !strings.HasPrefix(op.GetName(), prefix):
		return fmt.Errorf("name is %q, want one below %q", op.GetName(), prefix)
	case op.GetDone():
		return errors.New("is done, want running")
	case md.GetVerb() != "simulate" || md.GetCreateTime() == nil:
		return fmt.Errorf("metadata is %v, want those of simulate", md)
	}
	return nil
}

// checkEcho says whether a response is what was asked for.
func checkEcho(resp *lropb.SimulateResponse) error {
	if resp.GetEcho() != "hello" || resp.GetAttempts() != 1 {
		return fmt.Errorf("response is %v, want hello at the first attempt", resp)
	}
	return nil
}

// checkCode says whether err is the client's own error with this code.
func checkCode(err error, want codes.Code) error {
	apiErr, ok := errors.AsType[*apierror.APIError](err)
	if !ok {
		return fmt.Errorf("error is %T %v, want *apierror.APIError", err, err)
	}
	if got := apiErr.GRPCStatus().Code(); got != want {
		return fmt.Errorf("code is %v of %v, want %v", got, err, want)
	}
	return nil
}

// checkQuota says whether err has what quotaError has.
func checkQuota(err error) error {
	if err := checkCode(err, codes.ResourceExhausted); err != nil {
		return err
	}
	apiErr, _ := errors.AsType[*apierror.APIError](err)
	switch info := apiErr.Details().ErrorInfo; {
	case apiErr.GRPCStatus().Message() != "no quota left":
		return fmt.Errorf("message is %q, want no quota left", apiErr.GRPCStatus().Message())
	case info.GetReason() != "QUOTA" || info.GetMetadata()["limit"] != "7":
		return fmt.Errorf("details are %v, want reason QUOTA and limit 7", info)
	}
	return nil
}

// checkNames says whether two sets of names are the same.
func checkNames(got, want map[string]bool) error {
	if !maps.Equal(got, want) {
		return fmt.Errorf("listed %q, want %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	return nil
}
