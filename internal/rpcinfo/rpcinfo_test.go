package rpcinfo

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
)

func TestFullName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/a.v1.B/C": "a.v1.B.C",
		"a.v1.B.C":  "a.v1.B.C",
		"a.v1.B/C":  "a.v1.B/C",
		"/a":        "/a",
		"/":         "/",
		"":          "",
	} {
		if got := FullName(in); got != want {
			t.Errorf("FullName(%q): got %q, want %q", in, got, want)
		}
	}
}

func TestMayMean(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, full string
		pkg        protoreflect.FullName
		want       bool
	}{
		{"Book", "a.v1.Book", "a.v1", true},
		{"a.v1.Book", "a.v1.Book", "a.v1", true},
		{".a.v1.Book", "a.v1.Book", "b", true},
		{"Book.Page", "a.v1.Book.Page", "a.v1", true},
		{"shared.Book", "a.shared.Book", "a.v1", true},
		{"v1.Book", "a.v1.Book", "a.v1", true},
		{"Book", "Book", "", true},
		{"Book", "b.v1.Book", "a.v1", false},
		{"Book", "a.v1.Author", "a.v1", false},
		{"a.v1.Book", "a.v2.Book", "a.v1", false},
		{"Book", "a.v1.sub.Book", "a.v1", false},
	} {
		if got := mayMean(test.name, test.full, test.pkg); got != test.want {
			t.Errorf("mayMean(%q, %q, %q): got %v", test.name, test.full, test.pkg, got)
		}
	}
}
