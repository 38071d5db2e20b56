package server

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
)

func newTestSealer(t testing.TB, key string) sealer {
	t.Helper()
	s, err := newSealer([]byte(key))
	if err != nil {
		t.Fatalf("newSealer(%q): %v", key, err)
	}
	return s
}

func TestTokenIsBound(t *testing.T) {
	t.Parallel()
	s := newTestSealer(t, "0123456789abcdef")
	token := s.seal("cursor-7", "parent", "filter")
	if got, err := s.open(token, "parent", "filter"); err != nil || got != "cursor-7" {
		t.Fatalf("open(seal()) = %q, %v, want %q", got, err, "cursor-7")
	}
	same := newTestSealer(t, "0123456789abcdef")
	if got, err := same.open(token, "parent", "filter"); err != nil || got != "cursor-7" {
		t.Errorf("open with the same key = %q, %v, want %q", got, err, "cursor-7")
	}
	if url.QueryEscape(token) != token {
		t.Errorf("seal() = %q is not URL-safe", token)
	}
	if raw, _ := base64.RawURLEncoding.DecodeString(token); strings.Contains(string(raw), "cursor") {
		t.Errorf("token %q shows its cursor", token)
	}
	if again := s.seal("cursor-7", "parent", "filter"); again == token {
		t.Errorf("seal() = %q twice, want a fresh nonce", token)
	}
	other := newTestSealer(t, "0123456789abcdeF")
	changed := []byte(token)
	changed[len(changed)/2] ^= 1
	for _, tc := range []struct {
		why   string
		s     sealer
		token string
		args  []string
	}{
		{"another key", other, token, []string{"parent", "filter"}},
		{"another parent", s, token, []string{"parent2", "filter"}},
		{"another filter", s, token, []string{"parent", "filter "}},
		{"moved boundary", s, token, []string{"parentfilter", ""}},
		{"cut", s, token[:len(token)-1], []string{"parent", "filter"}},
		{"changed", s, string(changed), []string{"parent", "filter"}},
		{"padded", s, token + "=", []string{"parent", "filter"}},
		{"empty", s, "", []string{"parent", "filter"}},
		{"cursor in base64", s, base64.RawURLEncoding.EncodeToString([]byte("cursor-7")), []string{"parent", "filter"}},
		{"huge", s, strings.Repeat("A", 1<<20), []string{"parent", "filter"}},
	} {
		if got, err := tc.s.open(tc.token, tc.args...); err == nil {
			t.Errorf("open of %s = %q, want an error", tc.why, got)
		}
	}
}

func TestRandomKeysDiffer(t *testing.T) {
	t.Parallel()
	a, err := newSealer(nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newSealer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := b.open(a.seal("x")); err == nil {
		t.Errorf("open of another server's token = %q, want an error", got)
	}
}

// TestTokenHasOneText: line breaks and padding make no second text of a token.
func TestTokenHasOneText(t *testing.T) {
	t.Parallel()
	s := newTestSealer(t, "0123456789abcdef")
	text := s.seal("c", "p")
	for _, other := range []string{text + "\n", text[:5] + "\r\n" + text[5:], text + "="} {
		if got, err := s.open(other, "p"); err == nil {
			t.Errorf("open(%q) = %q, want an error: the token is %q", other, got, text)
		}
	}
}

func FuzzToken(f *testing.F) {
	s := newTestSealer(f, "0123456789abcdef")
	f.Add(s.seal("c", "p"))
	f.Add("")
	f.Add(s.seal("c", "p") + "\n")
	f.Add("AQ")
	f.Add("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, token string) {
		cursor, err := s.open(token, "p")
		if err != nil {
			return
		}
		if strings.ContainsAny(token, "\r\n") {
			t.Errorf("open(%q) = %q, want an error: no token has a line break", token, cursor)
		}
		if cursor != "c" {
			t.Fatalf("open(%q) = %q, want an error: it was never sealed", token, cursor)
		}
	})
}
