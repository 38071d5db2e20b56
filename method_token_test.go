package lro

import (
	"encoding/base64"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func TestTokenResumes(t *testing.T) {
	t.Parallel()
	c := NewClient(&fakeService{}, WithServiceName("library.example.com"))
	op, err := Strings.Resume(c, "projects/p/operations/a+b=c/d é")
	if err != nil {
		t.Fatal(err)
	}
	tok := op.Token()
	if strings.Trim(tok, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		t.Errorf("token %q is not URL-safe", tok)
	}
	again, err := Strings.Resume(c, tok)
	if err != nil || again.Name() != op.Name() {
		t.Fatalf("Resume(token) = %v, %v, want %q", again, err, op.Name())
	}
	if _, err := Any().Resume(c, tok); err != nil {
		t.Errorf("resume as Any: %v, want no error", err)
	}
	if _, err := Strings.Resume(NewClient(&fakeService{}), tok); err != nil {
		t.Errorf("resume by a client without a name: %v, want no error", err)
	}
}

func TestTokenMismatch(t *testing.T) {
	t.Parallel()
	c := NewClient(&fakeService{}, WithServiceName("library.example.com"))
	op, err := Strings.Resume(c, testName)
	if err != nil {
		t.Fatal(err)
	}
	tok := op.Token()
	for _, test := range []struct {
		what   string
		resume func() error
		names  []string
	}{
		{"service", func() error {
			_, err := Strings.Resume(NewClient(&fakeService{}, WithServiceName("zoo.example.com")), tok)
			return err
		}, []string{"library.example.com", "zoo.example.com"}},
		{"method", func() error {
			_, err := Method[*wrapperspb.StringValue, *wrapperspb.StringValue]{Name: "test.Other"}.Resume(c, tok)
			return err
		}, []string{"test.Strings", "test.Other"}},
		{"response", func() error {
			_, err := Method[*emptypb.Empty, *wrapperspb.StringValue]{}.Resume(c, tok)
			return err
		}, []string{"google.protobuf.StringValue", "google.protobuf.Empty"}},
		{"metadata", func() error {
			_, err := Method[*wrapperspb.StringValue, *durationpb.Duration]{}.Resume(c, tok)
			return err
		}, []string{"google.protobuf.StringValue", "google.protobuf.Duration"}},
	} {
		err := test.resume()
		if err == nil {
			t.Errorf("%s: no error", test.what)
			continue
		}
		for _, name := range append(test.names, testName, test.what) {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("%s: error %q does not name %q", test.what, err, name)
			}
		}
	}
}

func TestTokenBroken(t *testing.T) {
	t.Parallel()
	enc := base64.RawURLEncoding.EncodeToString
	for _, tok := range []string{
		"lro1_", "lro1_!", "lro1_" + enc([]byte("{")), "lro1_" + enc([]byte("{}")), "lro1_" + enc([]byte(`{"o":1}`)),
		"lro1_" + strings.Repeat("A", maxTokenBytes),
	} {
		if op, err := Any().Resume(NewClient(&fakeService{}), tok); err == nil {
			t.Errorf("Resume(%.40q) = %q, want an error", tok, op.Name())
		}
	}
}

// TestTokenHasOneText: line breaks, padding and spare bits make no second text
// of a token.
func TestTokenHasOneText(t *testing.T) {
	t.Parallel()
	text := token{Operation: testName, Service: "s"}.String()
	if _, err := parseToken(text); err != nil {
		t.Fatalf("parseToken(%q) = %v", text, err)
	}
	for _, other := range []string{text + "\n", text[:9] + "\r\n" + text[9:], text + "="} {
		if got, err := parseToken(other); err == nil {
			t.Errorf("parseToken(%q) = %+v, want an error: the token is %q", other, got, text)
		}
	}
}

func FuzzToken(f *testing.F) {
	f.Add("lro1_" + base64.RawURLEncoding.EncodeToString([]byte(`{"o":"operations/x","s":"a","r":"b"}`)))
	f.Add("lro1_e30")
	f.Add("lro1_eyJv\nIjoib3BlcmF0aW9ucy94In0")
	f.Add("operations/x")
	f.Fuzz(func(t *testing.T, s string) {
		if !isToken(s) {
			return
		}
		parsed, err := parseToken(s)
		if err != nil {
			return
		}
		again, err := parseToken(parsed.String())
		if err != nil || again != parsed {
			t.Errorf("parseToken(%q) = %+v, but its own token gives %+v, %v", s, parsed, again, err)
		}
	})
}

// A token that leaves something open is not refused for it, a long one is, and both
// forms of a method's name are the same.
func TestTokenLeavesOpen(t *testing.T) {
	t.Parallel()
	if err := (token{Operation: testName}).verify(token{Service: "s", Method: "a.B.C", Response: "r", Metadata: "m"}); err != nil {
		t.Errorf("verify of a bare token: %v", err)
	}
	c := NewClient((&fakeService{}).pollOnly())
	long := token{Operation: "operations/" + strings.Repeat("x", maxTokenBytes)}.String()
	if _, err := Any().Resume(c, long); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("Resume of a token of %d bytes: %v, want that it is too long", len(long), err)
	}
	path := Any()
	path.Name = "/a.B/C"
	if _, err := path.Resume(c, token{Operation: testName, Method: "a.B.C"}.String()); err != nil {
		t.Errorf("Resume by the other form of the method's name: %v", err)
	}
}
