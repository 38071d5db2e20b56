package lro_test

import (
	"context"
	"strings"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/internal/testpb/archivepb"
)

const (
	exportName = "example.library.v1.Library.ExportBooks"
	exportPath = librarypb.Library_ExportBooks_FullMethodName
)

// declared returns the errors of the functions that make operations of m, by
// their names.
func declared[R, M proto.Message](t *testing.T, m lro.Method[R, M]) map[string]error {
	t.Helper()
	c := lro.NewClient(lro.GetFunc(func(context.Context, string) (*longrunningpb.Operation, error) { return nil, context.Canceled }))
	running := &longrunningpb.Operation{Name: "operations/1"}
	called := false
	_, wrapped := m.Wrap(c, running)
	_, resumed := m.Resume(c, "operations/1")
	_, started := m.Start(t.Context(), c, func(context.Context, string, ...grpc.CallOption) (*longrunningpb.Operation, error) {
		called = true
		return running, nil
	})
	if called != (started == nil) {
		t.Errorf("Start: made the call: %v, then error %v", called, started)
	}
	return map[string]error{"Wrap": wrapped, "Resume": resumed, "Start": started}
}

// TestWrongDeclaration: types that differ from the linked annotation are refused
// at once, by an error that names both.
func TestWrongDeclaration(t *testing.T) {
	t.Parallel()
	type (
		response = *librarypb.ExportBooksResponse
		metadata = *librarypb.ExportBooksMetadata
	)
	for _, test := range []struct {
		name string
		errs map[string]error
		want []string // nil: no error
	}{
		{"right", declared(t, lro.Method[response, metadata]{Name: exportName}), nil},
		{"right, by path", declared(t, lro.Method[response, metadata]{Name: exportPath}), nil},
		{"wrong response", declared(t, lro.Method[metadata, metadata]{Name: exportName}),
			[]string{"the response of", exportName, "example.library.v1.ExportBooksMetadata", `but "ExportBooksResponse"`, "Unchecked"}},
		{"wrong metadata, by path", declared(t, lro.Method[response, *emptypb.Empty]{Name: exportPath}),
			[]string{"the metadata of", exportName, "google.protobuf.Empty", `but "ExportBooksMetadata"`}},
		{"unchecked", declared(t, lro.Method[metadata, *emptypb.Empty]{Name: exportName, Unchecked: true}), nil},
		{"open", declared(t, lro.Method[*anypb.Any, proto.Message]{Name: exportName}), nil},
		{"without a name", declared(t, lro.Method[metadata, metadata]{}), nil},
		{"not linked", declared(t, lro.Method[metadata, metadata]{Name: exportName + "2"}), nil},
		{"not an RPC", declared(t, lro.Method[metadata, metadata]{Name: "example.library.v1.Library"}), nil},
		{"no annotation", declared(t, lro.Method[metadata, metadata]{Name: "google.longrunning.Operations.GetOperation"}), nil},
		{"annotated with Any", declared(t, lro.Method[*emptypb.Empty, metadata]{Name: archivepb.Archive_Purge_Method.Name}), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for what, err := range test.errs {
				if (err != nil) != (test.want != nil) {
					t.Errorf("%s: got error %v, want one: %v", what, err, test.want != nil)
				}
				for _, part := range test.want {
					if err != nil && !strings.Contains(err.Error(), part) {
						t.Errorf("%s: got error %q, want one with %q", what, err, part)
					}
				}
			}
		})
	}
}

// TestDeclarationsSeparately: a declaration that was verified says nothing of
// another one with the same name.
func TestDeclarationsSeparately(t *testing.T) {
	t.Parallel()
	c := lro.NewClient(lro.GetFunc(func(context.Context, string) (*longrunningpb.Operation, error) { return nil, context.Canceled }))
	if _, err := (lro.Method[*librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata]{Name: exportName}).Resume(c, "operations/1"); err != nil {
		t.Fatal(err)
	}
	wrong := lro.Method[*emptypb.Empty, *librarypb.ExportBooksMetadata]{Name: exportName, Unchecked: true}
	if _, err := wrong.Resume(c, "operations/1"); err != nil {
		t.Fatal(err)
	}
	wrong.Unchecked = false
	if _, err := wrong.Resume(c, "operations/1"); err == nil {
		t.Error("Resume of a wrong declaration: got no error")
	}
}

// TestGeneratedDeclarations: names in annotations that are relative, nested or of
// other packages are understood.
func TestGeneratedDeclarations(t *testing.T) {
	t.Parallel()
	for name, errs := range map[string]map[string]error{
		"Store": declared(t, archivepb.Archive_Store_Method_),
		"Purge": declared(t, archivepb.Archive_Purge_Method),
		//lint:ignore SA1019 A deprecated method is checked like any other.
		"Move":        declared(t, archivepb.Archive_Move_Method),
		"ResumeStore": declared(t, archivepb.Archive_ResumeStore_Method),
		"Scan":        declared(t, archivepb.Old_Scan_Method),
		"Print":       declared(t, archivepb.Press_Print_Method),
	} {
		for what, err := range errs {
			if err != nil {
				t.Errorf("%s of %s: %v", what, name, err)
			}
		}
	}
}

// TestMethodNameByPath: both forms of a method's name are the same method.
func TestMethodNameByPath(t *testing.T) {
	t.Parallel()
	c := lro.NewClient(lro.GetFunc(func(context.Context, string) (*longrunningpb.Operation, error) { return nil, context.Canceled }))
	byPath, byName := lro.Any(), lro.Any()
	byPath.Name, byName.Name = exportPath, exportName
	op, err := byPath.Resume(c, "operations/1")
	if err != nil {
		t.Fatal(err)
	}
	want, err := byName.Resume(c, op.Token())
	if err != nil {
		t.Fatal(err)
	}
	if op.Token() != want.Token() {
		t.Errorf("token by path %q, by name %q, want the same", op.Token(), want.Token())
	}
	for _, odd := range []string{"/", "//", "/a", "a/b", "/a/", "/a/b/c", ""} {
		m := lro.Any()
		m.Name = odd
		if _, err := m.Resume(c, "operations/1"); err != nil {
			t.Errorf("Resume by method %q: %v", odd, err)
		}
	}
}
