package server

import (
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// complete makes a status fit to be served as the error of an operation or a
// call: a canonical code other than OK, valid text, one detail of each type and
// exactly one ErrorInfo (AIP-193). It returns st itself if that is so already.
func (f faults) complete(st *spb.Status, reason string) *spb.Status {
	if f.isComplete(st) {
		return st
	}
	out := &spb.Status{Code: st.GetCode(), Message: strings.ToValidUTF8(st.GetMessage(), "�")}
	if _, ok := code.Code_name[out.Code]; !ok || out.Code == 0 {
		out.Code = int32(codes.Unknown)
	}
	seen := map[string]bool{}
	hasInfo := false
	for _, detail := range st.GetDetails() {
		url := detail.GetTypeUrl()
		if seen[url] || !valid(url) {
			continue
		}
		seen[url] = true
		hasInfo = hasInfo || detail.MessageIs((*errdetails.ErrorInfo)(nil))
		out.Details = append(out.Details, detail)
	}
	if !hasInfo {
		if reason == "" {
			reason = code.Code(out.Code).String()
		}
		out.Details = append(out.Details, mustPack(&errdetails.ErrorInfo{Reason: reason, Domain: f.domain}))
	}
	return out
}

func (f faults) isComplete(st *spb.Status) bool {
	if _, ok := code.Code_name[st.GetCode()]; !ok || st.GetCode() == 0 || !valid(st.GetMessage()) {
		return false
	}
	infos := 0
	for i, detail := range st.GetDetails() {
		if !valid(detail.GetTypeUrl()) || hasType(st.GetDetails()[:i], detail.GetTypeUrl()) {
			return false
		}
		if detail.MessageIs((*errdetails.ErrorInfo)(nil)) {
			infos++
		}
	}
	return infos == 1
}

// completed is complete for an error that already carries a status.
func (f faults) completed(err error, reason string) error {
	st := status.Convert(err)
	full := f.complete(st.Proto(), reason)
	if proto.Equal(full, st.Proto()) {
		return err
	}
	return status.FromProto(full).Err()
}

func hasType(details []*anypb.Any, url string) bool {
	return slices.ContainsFunc(details, func(d *anypb.Any) bool { return d.GetTypeUrl() == url })
}
