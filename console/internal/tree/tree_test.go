package tree

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/lropb"
)

func decode(a *anypb.Any) proto.Message {
	m, err := a.UnmarshalNew()
	if err != nil {
		return nil
	}
	return m
}

func pack(t testing.TB, m proto.Message) *anypb.Any {
	t.Helper()
	packed, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func value(t testing.TB, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in JSON:\n%s", err, text)
	}
	return v
}

// TestJSONAsProtojson compares with the mapping's own implementation.
func TestJSONAsProtojson(t *testing.T) {
	t.Parallel()
	free, err := structpb.NewStruct(map[string]any{
		"null": nil, "list": []any{1.5, "x", true, map[string]any{}}, "": "empty key", `q"\`: "quoted",
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]proto.Message{
		"metadata": &lropb.OperationMetadata{
			CreateTime: &timestamppb.Timestamp{Seconds: 1, Nanos: 500}, State: lropb.OperationMetadata_RUNNING,
			Target: "a\n\t\"b\" <c> ü 😀", RequestedCancellation: true, ProgressPercent: 7,
			Progress:      &lropb.Progress{Done: math.MaxInt64, Total: -1},
			PartialErrors: []*spb.Status{{Code: 5}, {Message: "x"}},
		},
		"enum without a name": &lropb.OperationMetadata{State: 99},
		"status": &spb.Status{Code: 3, Details: []*anypb.Any{
			pack(t, &errdetails.ErrorInfo{Reason: "R", Metadata: map[string]string{"b": "2", "a": "1"}}),
			pack(t, &errdetails.RetryInfo{RetryDelay: &durationpb.Duration{Seconds: -1, Nanos: -5e8}}),
			pack(t, wrapperspb.Int64(3)), pack(t, &emptypb.Empty{}), pack(t, pack(t, durationpb.New(0))), {},
			pack(t, &fieldmaskpb.FieldMask{Paths: []string{"a_b.c_d", "e"}}), pack(t, free), pack(t, structpb.NewNullValue()),
		}},
		"struct":    free,
		"floats":    wrapperspb.Double(math.Inf(-1)),
		"nan":       wrapperspb.Float(float32(math.NaN())),
		"small":     wrapperspb.Float(0.1),
		"bytes":     wrapperspb.Bytes([]byte{0, 255}),
		"timestamp": timestamppb.New(timestamppb.Now().AsTime()),
	}
	for name, m := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantText, err := protojson.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			got, whole := JSON(m, decode, 0)
			if !whole {
				t.Errorf("JSON without a limit is not whole")
			}
			if diff := cmp.Diff(value(t, string(wantText)), value(t, string(got))); diff != "" {
				t.Errorf("JSON(%v) (-protojson +got):\n%s", m, diff)
			}
		})
	}
}

func TestJSONUnreadable(t *testing.T) {
	t.Parallel()
	const google = "type.googleapis.com/"
	tests := []struct {
		name string
		in   proto.Message
		want string
	}{
		{"nil", nil, `null`},
		{"unknown", &anypb.Any{TypeUrl: google + "example.Unknown", Value: []byte("\x0a\x03abc")},
			`{"@type": "type.googleapis.com/example.Unknown", "value": "CgNhYmM="}`},
		{"broken", &anypb.Any{TypeUrl: google + "lro.v1.Progress", Value: []byte{0xff}},
			`{"@type": "type.googleapis.com/lro.v1.Progress", "value": "/w=="}`},
		{"no type", &anypb.Any{Value: []byte("x")}, `{"@type": "", "value": "eA=="}`},
		{"deep inside", &lropb.OperationMetadata{PartialErrors: []*spb.Status{{Details: []*anypb.Any{{TypeUrl: "a/b.C", Value: []byte("x")}}}}},
			`{"partialErrors": [{"details": [{"@type": "a/b.C", "value": "eA=="}]}]}`},
		{"time out of range", &timestamppb.Timestamp{Seconds: 1 << 60}, `{"seconds": "1152921504606846976"}`},
		{"duration out of range", &durationpb.Duration{Seconds: math.MinInt64}, `{"seconds": "-9223372036854775808"}`},
		{"duration of two signs", &durationpb.Duration{Seconds: 1, Nanos: -1}, `{"seconds": "1", "nanos": -1}`},
		{"value of no kind", &structpb.Value{}, `null`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, _ := JSON(tt.in, decode, 0)
			if diff := cmp.Diff(value(t, tt.want), value(t, string(got))); diff != "" {
				t.Errorf("JSON(%v) (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

// TestJSONUntyped: an Any that holds the JSON of a type that is not known is shown
// as that JSON, an Any with a Struct as the Any that it is.
func TestJSONUntyped(t *testing.T) {
	t.Parallel()
	free, err := structpb.NewStruct(map[string]any{"@type": "type.googleapis.com/a.B", "x": map[string]any{"y": 1}})
	if err != nil {
		t.Fatal(err)
	}
	untyped := func(*anypb.Any) proto.Message { return free }
	got, _ := JSON(&spb.Status{Details: []*anypb.Any{pack(t, &anypb.Any{})}}, untyped, 0)
	if diff := cmp.Diff(value(t, `{"details": [{"@type": "type.googleapis.com/a.B", "x": {"y": 1}}]}`), value(t, string(got))); diff != "" {
		t.Errorf("JSON of what is kept as JSON (-want +got):\n%s", diff)
	}
	if node := Of(pack(t, &anypb.Any{}), untyped, Limits{Nodes: 10, Chars: 100}); node.URL != "type.googleapis.com/a.B" {
		t.Errorf("the tree has type %q, want the one that the service sent", node.URL)
	}
	got, _ = JSON(pack(t, free), decode, 0)
	if diff := cmp.Diff("type.googleapis.com/google.protobuf.Struct", value(t, string(got)).(map[string]any)["@type"]); diff != "" {
		t.Errorf("@type of a Struct (-want +got):\n%s", diff)
	}
}

func TestJSONHidden(t *testing.T) {
	t.Parallel()
	const text = "a\u202eb\u0000\u2028\U000e0041\u200d\x7f"
	got, _ := JSON(wrapperspb.String(text), decode, 0)
	const want = `"a\u202eb\u0000\u2028\udb40\udc41` + "\u200d" + `\u007f"`
	if string(got) != want || value(t, string(got)) != text {
		t.Errorf("JSON(%q) = %s, want %s", text, got, want)
	}
}

func TestJSONLimit(t *testing.T) {
	t.Parallel()
	m := &lropb.OperationMetadata{Target: strings.Repeat("x", 1<<20), StatusMessage: "later", PartialErrors: make([]*spb.Status, 1000)}
	for _, limit := range []int{1, 10, 1000} {
		got, whole := JSON(m, decode, limit)
		value(t, string(got)) // still JSON
		if whole || len(got) > limit+50 {
			t.Errorf("JSON(limit %d) = %d bytes, whole %t, want about %d, not whole", limit, len(got), whole, limit)
		}
	}
	if got, whole := JSON(m, decode, 0); !whole || len(got) < 1<<20 {
		t.Errorf("JSON without a limit = %d bytes, whole %t, want all", len(got), whole)
	}
}

func TestJSONDeep(t *testing.T) {
	t.Parallel()
	packed := pack(t, wrapperspb.String("deep"))
	for range 500 {
		packed = pack(t, packed)
	}
	v := structpb.NewStringValue("deep")
	for range 500 {
		v = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{v}})
	}
	for _, m := range []proto.Message{packed, v} {
		text, _ := JSON(m, decode, 0)
		value(t, string(text))
	}
}

func TestVisible(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"":                      "",
		"plain\n\ttext":         "plain\n\ttext",
		"ünïcødé 漢字 العربية":    "ünïcødé 漢字 العربية",
		"👩\u200d💻":              "👩\u200d💻",
		"exe\u202efdp.txt":      `exe\u202efdp.txt`,
		"a\u2066b\u2069":        `a\u2066b\u2069`,
		"zero\u200bwidth\ufeff": `zero\u200bwidth\ufeff`,
		"bell\a\x1b[31m\r":      `bell\u0007\u001b[31m\u000d`,
		"tag\U000e0041":         `tag\U000e0041`,
		"bad\xff":               "bad\ufffd",
		"line\u2028end":         `line\u2028end`,
	}
	for in, want := range tests {
		if got := Visible(in); got != want {
			t.Errorf("Visible(%q) = %q, want %q", in, got, want)
		}
	}
	if got := Line("a\nb\tc\u202e"); got != `a b c\u202e` {
		t.Errorf("Line = %q", got)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		n    int
		head string
		rest int
	}{
		{"", 0, "", 0}, {"abc", 3, "abc", 0}, {"abc", 2, "ab", 1}, {"äöü", 2, "äö", 1}, {"äöü", 3, "äöü", 0}, {"abc", 0, "", 3},
	}
	for _, tt := range tests {
		if head, rest := Cut(tt.text, tt.n); head != tt.head || rest != tt.rest {
			t.Errorf("Cut(%q, %d) = %q, %d, want %q, %d", tt.text, tt.n, head, rest, tt.head, tt.rest)
		}
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	m := &spb.Status{Code: 5, Message: "long message", Details: []*anypb.Any{
		pack(t, &errdetails.ErrorInfo{Reason: "R"}), {TypeUrl: "a/b.C", Value: []byte("xyz")},
	}}
	got := Of(m, decode, Limits{Nodes: 100, Chars: 8})
	want := &Node{Kind: Object, Items: []*Node{
		{Key: "code", Kind: Word, Text: "5"},
		{Key: "message", Kind: Text, Text: "long mes", Rest: 4},
		{Key: "details", Kind: List, Items: []*Node{
			{Kind: Object, URL: "type.goo…", Items: []*Node{{Key: "reason", Kind: Text, Text: "R"}}},
			{Kind: Opaque, URL: "a/b.C", Text: "eHl6", Size: 3},
		}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Of(%v) (-want +got):\n%s", m, diff)
	}
}

func TestOfLimits(t *testing.T) {
	t.Parallel()
	list := &structpb.ListValue{}
	for range 1000 {
		list.Values = append(list.Values, structpb.NewNumberValue(1))
	}
	got := Of(list, decode, Limits{Nodes: 10, Chars: 10})
	if len(got.Items) != 10 || got.More != 990 {
		t.Errorf("Of 1000 elements, 10 nodes: %d items, %d more, want 10, 990", len(got.Items), got.More)
	}
	got = Of(&lropb.OperationMetadata{Target: "t", Verb: "v", Attempt: 1}, decode, Limits{Nodes: 2, Chars: 10})
	if len(got.Items) != 2 || got.More != 1 {
		t.Errorf("Of 3 fields, 2 nodes: %d items, %d more, want 2, 1", len(got.Items), got.More)
	}
	got = Of(&anypb.Any{TypeUrl: "a/b", Value: make([]byte, 1<<20)}, decode, Limits{Nodes: 1, Chars: 100})
	if len(got.Text) > 100 || got.Size != 1<<20 || got.Rest != 1<<20-75 {
		t.Errorf("Of 1 MiB of bytes: text of %d, size %d, rest %d", len(got.Text), got.Size, got.Rest)
	}
}

func FuzzTree(f *testing.F) {
	f.Add("type.googleapis.com/lro.v1.Progress", []byte("\x08\x01"))
	f.Add("type.googleapis.com/google.rpc.Status", []byte("\x08\x01\x1a\x04\x0a\x02a/"))
	f.Add("type.googleapis.com/google.protobuf.Any", []byte("\x0a\x02a/\x12\x01x"))
	f.Add("type.googleapis.com/google.protobuf.Struct", []byte("\x0a\x05\x0a\x01a\x12\x00"))
	f.Add("type.googleapis.com/google.protobuf.FieldMask", []byte("\x0a\x03a_b"))
	f.Add("type.googleapis.com/google.protobuf.Timestamp", []byte("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x10"))
	f.Add("", []byte("x"))
	f.Fuzz(func(t *testing.T, url string, raw []byte) {
		a := &anypb.Any{TypeUrl: url, Value: raw}
		if got, _ := JSON(a, decode, 0); !json.Valid(got) {
			t.Errorf("JSON(%q, %x) = %s, which is no JSON", url, raw, got)
		}
		if got, _ := JSON(a, decode, 20); !json.Valid(got) {
			t.Errorf("JSON(%q, %x, 20) = %s, which is no JSON", url, raw, got)
		}
		Of(a, decode, Limits{Nodes: 20, Chars: 20})
	})
}
