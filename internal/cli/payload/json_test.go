package payload

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/lropb"
)

func pack(t testing.TB, m proto.Message) *anypb.Any {
	t.Helper()
	packed, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func TestJSON(t *testing.T) {
	t.Parallel()
	const google = "type.googleapis.com/"
	unknown := &anypb.Any{TypeUrl: google + "example.Unknown", Value: []byte("\x0a\x03abc")}
	broken := &anypb.Any{TypeUrl: google + "lro.v1.Progress", Value: []byte{0xff}}
	tests := []struct {
		name string
		in   *anypb.Any
		want string
	}{
		{"nil", nil, `null`},
		{"empty", &anypb.Any{}, `{}`},
		{"no type", &anypb.Any{Value: []byte("x")}, `{"value":"eA=="}`},
		{"known", pack(t, &lropb.Progress{Done: 7, Unit: "files"}), `{"@type":"type.googleapis.com/lro.v1.Progress","done":"7","unit":"files"}`},
		{"well known", pack(t, durationpb.New(1500000000)), `{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1.500s"}`},
		{"without fields", pack(t, &emptypb.Empty{}), `{"@type":"type.googleapis.com/google.protobuf.Empty"}`},
		{"another host", &anypb.Any{TypeUrl: "example.com/types/lro.v1.Progress"}, `{"@type":"example.com/types/lro.v1.Progress"}`},
		{"unknown", unknown, `{"@type":"type.googleapis.com/example.Unknown","value":"CgNhYmM="}`},
		{"broken", broken, `{"@type":"type.googleapis.com/lro.v1.Progress","value":"/w=="}`},
		{"strange type", &anypb.Any{TypeUrl: "type.googleapis.com/a b\"\n", Value: []byte("x")}, `{"@type":"type.googleapis.com/a b\"\n","value":"eA=="}`},
		{"no JSON", pack(t, &timestamppb.Timestamp{Seconds: 1 << 60}), `{"@type":"type.googleapis.com/google.protobuf.Timestamp","value":"CICAgICAgICAEA=="}`},
		{
			"unknown inside", pack(t, &spb.Status{Code: 5, Details: []*anypb.Any{unknown, pack(t, &errdetails.ErrorInfo{Reason: "R"}), {}}}),
			`{"@type":"type.googleapis.com/google.rpc.Status","code":5,"details":[` +
				`{"@type":"type.googleapis.com/example.Unknown","value":"CgNhYmM="},` +
				`{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"R"},{}]}`,
		},
		{
			"broken beside whole", pack(t, &spb.Status{Details: []*anypb.Any{pack(t, &lropb.Progress{Done: 1}), broken}}),
			`{"@type":"type.googleapis.com/google.rpc.Status","details":[` +
				`{"@type":"type.googleapis.com/lro.v1.Progress","value":"CAE="},{"@type":"type.googleapis.com/lro.v1.Progress","value":"/w=="}]}`,
		},
		{
			"nested", pack(t, pack(t, pack(t, wrapperspb.String("deep")))),
			`{"@type":"type.googleapis.com/google.protobuf.Any","value":{"@type":"type.googleapis.com/google.protobuf.Any",` +
				`"value":{"@type":"type.googleapis.com/google.protobuf.StringValue","value":"deep"}}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var types Types
			got := string(types.JSON(t.Context(), tt.in))
			if !sameJSON(t, got, tt.want) {
				t.Errorf("JSON(%v)\n got %s\nwant %s", tt.in, got, tt.want)
			}
		})
	}
}

// sameJSON compares values: protojson promises no order and no white space.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var av, bv any
	if err := json.Unmarshal([]byte(a), &av); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	if err := json.Unmarshal([]byte(b), &bv); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	at, _ := json.Marshal(av)
	bt, _ := json.Marshal(bv)
	return bytes.Equal(at, bt)
}

func TestDeepJSON(t *testing.T) {
	t.Parallel()
	packed := pack(t, wrapperspb.String("deep"))
	for range 100 {
		packed = pack(t, packed)
	}
	var types Types
	got := types.JSON(t.Context(), packed)
	if !json.Valid(got) || strings.Count(string(got), "@type") > maxDepth+3 {
		t.Errorf("JSON of 100 nested Any messages = %.200s, want them cut at %d", got, maxDepth)
	}
}

func FuzzJSON(f *testing.F) {
	f.Add("type.googleapis.com/lro.v1.Progress", []byte("\x08\x01"))
	f.Add("type.googleapis.com/google.rpc.Status", []byte("\x08\x01\x1a\x04\x0a\x02a/"))
	f.Add("type.googleapis.com/google.protobuf.Any", []byte("\x0a\x02a/\x12\x01x"))
	f.Add("type.googleapis.com/google.protobuf.Struct", []byte("\x0a\x05\x0a\x01a\x12\x00"))
	f.Add("", []byte("x"))
	f.Add("/", []byte(nil))
	f.Fuzz(func(t *testing.T, url string, value []byte) {
		var types Types
		if got := types.JSON(t.Context(), &anypb.Any{TypeUrl: url, Value: value}); !json.Valid(got) {
			t.Errorf("JSON(%q, %x) = %s, which is no JSON", url, value, got)
		}
	})
}
