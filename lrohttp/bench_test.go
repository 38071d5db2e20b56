package lrohttp_test

import (
	"net/http"
	"strings"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/go-lro/lro/lropb"
)

// BenchmarkGetOperation is one poll through client and handler, without a
// network between them: of metadata that both know, and of such that neither
// does.
func BenchmarkGetOperation(b *testing.B) {
	known := pack(b, &lropb.OperationMetadata{CreateTime: &timestamppb.Timestamp{Seconds: 1}, Target: "projects/p/books/b", Verb: "export", ProgressPercent: 40})
	for name, metadata := range map[string]*anypb.Any{"known": known, "unknown": nobodyKnows} {
		b.Run(name, func(b *testing.B) {
			client := direct(b, newHandler(b, funcs{get: fixed(&longrunningpb.Operation{Name: getRequest.GetName(), Metadata: metadata})}))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.GetOperation(b.Context(), getRequest); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkUntyped is one poll of a service whose metadata is of a type that
// is not linked into the program.
func BenchmarkUntyped(b *testing.B) {
	const body = `{"name":"operations/x","metadata":{"@type":"type.googleapis.com/nobody.Knows","createTime":"1970-01-01T00:00:01Z","target":"projects/p/books/b","verb":"export","progressPercent":40}}`
	client := newClient(b, "http://h", func(*http.Request) (*http.Response, error) { return response(200, strings.NewReader(body)), nil })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.GetOperation(b.Context(), getRequest); err != nil {
			b.Fatal(err)
		}
	}
}
