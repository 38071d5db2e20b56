package docs_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
)

func pageText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestServingHasSettings: the page about servers names all that one can set.
func TestServingHasSettings(t *testing.T) {
	t.Parallel()
	var names []string
	for _, settings := range []any{server.Config{}, server.Kind[*lropb.SimulateRequest, *lropb.SimulateResponse, *lropb.OperationMetadata]{}} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(settings)) {
			if field.IsExported() {
				names = append(names, field.Name)
			}
		}
	}
	text := pageText(t, "serving.md")
	for _, name := range names {
		if !strings.Contains(text, "`"+name) && !strings.Contains(text, "."+name+"`") && !strings.Contains(text, name+"(") {
			t.Errorf("serving.md does not name %s", name)
		}
	}
	for _, elsewhere := range []string{"lrohttp.WithInterceptors", "keepalive.EnforcementPolicy", "otelgrpc.NewServerHandler()", "otelgrpc.NewClientHandler()", "otel.SetTextMapPropagator"} {
		if !strings.Contains(text, elsewhere) {
			t.Errorf("serving.md does not name %s", elsewhere)
		}
	}
}

// TestCommandHasFields: the page of the command names each field of the requests
// that lro start sends to lro serve.
func TestCommandHasFields(t *testing.T) {
	t.Parallel()
	text := pageText(t, "command.md")
	for _, request := range []proto.Message{&lropb.SimulateRequest{}, &lropb.ChecksumRequest{}} {
		fields := request.ProtoReflect().Descriptor().Fields()
		for i := range fields.Len() {
			if name := fields.Get(i).JSONName(); !strings.Contains(text, " "+name+" ") {
				t.Errorf("command.md does not name the field %s of %s", name, request.ProtoReflect().Descriptor().Name())
			}
		}
	}
}

// TestFromPythonHasClasses: a reader finds the classes of Python by name.
func TestFromPythonHasClasses(t *testing.T) {
	t.Parallel()
	text := pageText(t, "from-python.md")
	for _, class := range []string{"google.api_core.operation`", "operation_async.AsyncOperation", "operation.from_gapic", "operation_async.from_gapic"} {
		if !strings.Contains(text, class) {
			t.Errorf("from-python.md does not name %s", class)
		}
	}
}

// TestOriginOfProto: the pages that have a proto import operations.proto say
// where it comes from.
func TestOriginOfProto(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"from-proto.md", "your-service.md"} {
		if !strings.Contains(pageText(t, name), "buf.build/googleapis/googleapis") {
			t.Errorf("%s does not say where google/longrunning/operations.proto comes from", name)
		}
	}
}
