package server

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server/engine"
)

type emptyKind = Kind[*emptypb.Empty, *emptypb.Empty, *emptypb.Empty]

// exportRPC is an RPC whose annotated descriptor is linked.
const exportRPC = "example.library.v1.Library.ExportBooks"

func TestKindIsChecked(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		r    Registration
		want string // part of the error; empty for none
	}{
		{"good", emptyKind{Name: "a"}.External(), ""},
		{"any", Kind[*anypb.Any, *anypb.Any, *anypb.Any]{Name: "a"}.Declare(), ""},
		{"no name", emptyKind{}.External(), "Name"},
		{"bad name", emptyKind{Name: "a/b"}.External(), "Name"},
		{"long name", emptyKind{Name: strings.Repeat("a", 64)}.External(), "Name"},
		{"name with newline", emptyKind{Name: "a\n"}.External(), "Name"},
		{"nil handler", emptyKind{Name: "a"}.Handle(nil), "handler"},
		{"concurrency", emptyKind{Name: "a", Concurrency: -1}.Declare(), "Concurrency is negative (-1)"},
		{"attempt timeout", emptyKind{Name: "a", AttemptTimeout: -1}.Declare(), "AttemptTimeout"},
		{"crash limit", emptyKind{Name: "a", CrashLimit: -1}.Declare(), "CrashLimit is negative (-1)"},
		{"lease", emptyKind{Name: "a", Lease: -1}.External(), "Lease is negative"},
		{"backoff", emptyKind{Name: "a", Retry: Retry{Backoff: -1}}.Declare(), "Retry.Backoff is negative"},
		{"max backoff", emptyKind{Name: "a", Retry: Retry{MaxBackoff: -1}}.Declare(), "Retry.MaxBackoff is negative"},
		{"interface", Kind[proto.Message, *emptypb.Empty, *emptypb.Empty]{Name: "a"}.Declare(), "request type"},
		{"interface response", Kind[*emptypb.Empty, proto.Message, *emptypb.Empty]{Name: "a"}.Declare(), "response type"},
		{"dynamic", Kind[*emptypb.Empty, *emptypb.Empty, *dynamicpb.Message]{Name: "a"}.Declare(), "metadata type"},
		{"an RPC's", Kind[*librarypb.ExportBooksRequest, *librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata]{Name: exportRPC}.Declare(), ""},
		{"an RPC's, open", Kind[*anypb.Any, *librarypb.ExportBooksResponse, *anypb.Any]{Name: exportRPC}.Declare(), ""},
		{"an RPC's, wrong request", Kind[*emptypb.Empty, *librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata]{Name: exportRPC}.Declare(),
			`the request of method "example.library.v1.Library.ExportBooks" is declared as "google.protobuf.Empty", but "example.library.v1.ExportBooksRequest"`},
		{"an RPC's, wrong response", Kind[*librarypb.ExportBooksRequest, *emptypb.Empty, *librarypb.ExportBooksMetadata]{Name: exportRPC}.Declare(),
			`is declared as "google.protobuf.Empty", but "ExportBooksResponse"`},
		{"an RPC's, wrong metadata", Kind[*librarypb.ExportBooksRequest, *librarypb.ExportBooksResponse, *emptypb.Empty]{Name: exportRPC}.External(),
			`is declared as "google.protobuf.Empty", but "ExportBooksMetadata"`},
		{"method", Kind[*librarypb.ExportBooksRequest, *librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata]{Name: "a", Method: exportRPC}.Declare(), ""},
		{"method, wrong request", Kind[*emptypb.Empty, *librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata]{Name: "a", Method: exportRPC}.Declare(),
			`the request of method "example.library.v1.Library.ExportBooks" is declared as "google.protobuf.Empty"`},
		{"method by path, wrong response", Kind[*librarypb.ExportBooksRequest, *emptypb.Empty, *librarypb.ExportBooksMetadata]{
			Name: "a", Method: librarypb.Library_ExportBooks_FullMethodName}.Declare(), `is declared as "google.protobuf.Empty", but "ExportBooksResponse"`},
		{"method and another's name", Kind[*librarypb.ExportBooksRequest, *librarypb.ExportBooksResponse, *emptypb.Empty]{
			Name: "example.library.v1.Library.ListBooks", Method: exportRPC}.External(), `but "ExportBooksMetadata"`},
		{"method, unchecked", emptyKind{Name: "a", Method: exportRPC, Unchecked: true}.Declare(), ""},
		{"an RPC's, unchecked", emptyKind{Name: exportRPC, Unchecked: true}.Declare(), ""},
	} {
		err := tc.r.kind.err
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error = %v, want one with %q", tc.name, err, tc.want)
		}
	}
}

func TestKindRetention(t *testing.T) {
	t.Parallel()
	for in, want := range map[time.Duration]time.Duration{0: 30 * 24 * time.Hour, time.Hour: time.Hour, -1: 0} {
		if got := (emptyKind{Name: "a", Retention: in}).register().retention; got != want {
			t.Errorf("retention of %s = %s, want %s", in, got, want)
		}
	}
}

func TestUnpack(t *testing.T) {
	t.Parallel()
	md := &lropb.OperationMetadata{Target: "t"}
	if got, err := unpack[*lropb.OperationMetadata](packed(t, md)); err != nil || !proto.Equal(got, md) {
		t.Errorf("unpack = %v, %v, want %v", got, err, md)
	}
	if got, err := unpack[*lropb.OperationMetadata](nil); err != nil || got == nil || got.GetTarget() != "" {
		t.Errorf("unpack(nil) = %v, %v, want an empty message", got, err)
	}
	if got, err := unpack[*emptypb.Empty](packed(t, md)); err == nil {
		t.Errorf("unpack of another type = %v, want an error", got)
	}
	raw := packed(t, md)
	got, err := unpack[*anypb.Any](raw)
	if err != nil || !proto.Equal(got, raw) || got == raw {
		t.Errorf("unpack as Any = %v, %v, want a copy of %v", got, err, raw)
	}
	again, err := pack(got)
	if err != nil || !proto.Equal(again, raw) {
		t.Errorf("pack of an Any = %v, %v, want it as it is", again, err)
	}
}

func TestNewRefusesBadConfig(t *testing.T) {
	t.Parallel()
	handler := func(context.Context, *Task[*emptypb.Empty], *emptypb.Empty) (*emptypb.Empty, error) {
		return &emptypb.Empty{}, nil
	}
	a := emptyKind{Name: "a"}
	for _, tc := range []struct {
		name  string
		c     Config
		kinds []Registration
		want  string
	}{
		{"parent", Config{Parent: "/projects"}, nil, `Config.Parent "/projects" has an empty segment`},
		{"wildcard", Config{Parent: "projects/-"}, nil, "wildcard"},
		{"collection", Config{Parent: "projects/p/operations"}, nil, `Config.Parent "projects/p/operations" ends in operations`},
		{"concurrency", Config{Concurrency: -1}, nil, "Config.Concurrency is negative (-1)"},
		{"short key", Config{PageKey: []byte("short")}, nil, "Config.PageKey"},
		{"twice", Config{}, []Registration{a.Handle(handler), a.External()}, "twice"},
		{"empty registration", Config{}, []Registration{{}}, "registration"},
		{"bad kind", Config{}, []Registration{emptyKind{}.External()}, "Name"},
	} {
		_, err := New(unusedEngine{}, tc.c, tc.kinds...)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: New = %v, want an error with %q", tc.name, err, tc.want)
		}
	}
	if _, err := New(nil, Config{}); err == nil {
		t.Error("New(nil) = nil error, want one")
	}
}

// unusedEngine is an engine that New must not call.
type unusedEngine struct{ engine.Engine }
