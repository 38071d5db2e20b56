package host

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/lropb"
)

func keyPair(t *testing.T, cert, key string, roots *x509.CertPool) *tls.Config {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}
}

// TestCertificatesAreCallers: a request ID belongs to the client whose certificate
// it came with, over both transports.
func TestCertificatesAreCallers(t *testing.T) {
	t.Parallel()
	files, pool := pki(t)
	config, err := TLSFiles{Cert: files.ServerCert, Key: files.ServerKey, ClientCA: files.CA}.TLS(nil)
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, Config{TLS: config})
	start := func(c *tls.Config) (grpcName, httpName string) {
		op, err := lropb.NewStarterClient(dial(t, addr, credentials.NewTLS(c.Clone()))).
			StartOperation(t.Context(), &lropb.StartOperationRequest{Kind: "simulate", RequestId: "1"})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client(t, c.Clone()).Post("https://"+addr+"/v1/operations:start", "application/json", strings.NewReader(`{"kind":"simulate","requestId":"1"}`))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body := make([]byte, 1<<10)
		n, _ := resp.Body.Read(body)
		return op.GetName(), string(body[:n])
	}
	alice := keyPair(t, files.ClientCert, files.ClientKey, pool)
	bob := keyPair(t, files.OtherCert, files.OtherKey, pool)
	first, overHTTP := start(alice)
	if !strings.Contains(overHTTP, first) {
		t.Errorf("Alice has %s over gRPC and %s over HTTP, want the same", first, overHTTP)
	}
	if again, _ := start(alice); again != first {
		t.Errorf("Alice again: %s, want %s", again, first)
	}
	if other, overHTTP := start(bob); other == first || strings.Contains(overHTTP, first) {
		t.Errorf("Bob gets Alice's operation %s: %s, %s", first, other, overHTTP)
	}
}

func TestCallerOf(t *testing.T) {
	t.Parallel()
	spiffe := &url.URL{Scheme: "spiffe", Host: "example", Path: "/a"}
	alice, bob := pkix.Name{CommonName: "alice"}, pkix.Name{CommonName: "bob"}
	distinct := map[string]*x509.Certificate{}
	for _, c := range []*x509.Certificate{
		{Subject: alice}, {Subject: bob}, {URIs: []*url.URL{spiffe}}, {DNSNames: []string{"a"}}, {EmailAddresses: []string{"a"}},
		{RawSubjectPublicKeyInfo: []byte("a")}, {RawSubjectPublicKeyInfo: []byte("b")},
	} {
		name := callerOf(c)
		if other := distinct[name]; other != nil {
			t.Errorf("%+v and %+v are both %s", c, other, name)
		}
		distinct[name] = c
	}
	// The next certificate of the same client.
	if callerOf(&x509.Certificate{Subject: alice, RawSubjectPublicKeyInfo: []byte("old")}) != callerOf(&x509.Certificate{Subject: alice, RawSubjectPublicKeyInfo: []byte("new")}) {
		t.Error("a client is another caller once its certificate is renewed")
	}
	if callerOf(&x509.Certificate{Subject: alice, URIs: []*url.URL{spiffe}}) != callerOf(&x509.Certificate{Subject: bob, URIs: []*url.URL{spiffe}}) {
		t.Error("the URI does not name the caller")
	}
}

// TestReload: certificates and tokens are those of the files as they are.
func TestReload(t *testing.T) {
	t.Parallel()
	files, pool := pki(t)
	names := TLSFiles{Cert: files.ServerCert, Key: files.ServerKey}
	config, err := names.TLS(nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tokens")
	writeTokens(t, path, someToken)
	tokens, err := ReadTokens(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{TLS: config, Tokens: tokens}
	addr := serve(t, c)
	try := func(pool *x509.CertPool, token string) codes.Code {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
		return status.Code(list(ctx, dial(t, addr, credentials.NewTLS(&tls.Config{RootCAs: pool}))))
	}
	if got := try(pool, someToken); got != codes.OK {
		t.Fatalf("before: %v", got)
	}

	next, nextPool := pki(t)
	const nextToken = "another-token-of-some-length"
	writeTokens(t, path, nextToken)
	for from, to := range map[string]string{next.ServerCert: files.ServerCert, next.ServerKey: files.ServerKey} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		pool  *x509.CertPool
		token string
		want  codes.Code
	}{
		{nextPool, nextToken, codes.OK}, {pool, nextToken, codes.Unavailable}, {nextPool, someToken, codes.Unauthenticated},
	} {
		if got := try(tt.pool, tt.token); got != tt.want {
			t.Errorf("after, with the new certificate %t and %q: %v, want %v", tt.pool == nextPool, tt.token, got, tt.want)
		}
	}

	// Half of what belongs together, or nothing: the last that was whole stays.
	for _, broken := range []string{files.ServerKey, path} {
		if err := os.WriteFile(broken, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Reload(); err == nil {
		t.Error("Reload of broken files succeeded")
	}
	if got := try(nextPool, nextToken); got != codes.OK {
		t.Errorf("with broken files: %v, want what was read before", got)
	}
}

// TestChangesAreSeen: a changed file is read again without a signal.
func TestChangesAreSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tokens")
		writeTokens(t, path, someToken)
		tokens, err := ReadTokens(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		admitted := func(token string) bool {
			_, err := tokens.admit(t.Context(), []string{"Bearer " + token})
			return err == nil
		}
		const next = "another-token-of-some-length"
		writeTokens(t, path, next)
		time.Sleep(checkEvery)
		if admitted(someToken) || !admitted(next) {
			t.Error("the tokens of a file that was written are not those in use")
		}
		// As secrets are replaced in Kubernetes: another file takes its place.
		other := path + ".new"
		writeTokens(t, other, someToken)
		if err := os.Rename(other, path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(checkEvery)
		if !admitted(someToken) || admitted(next) {
			t.Error("the tokens of a file that was replaced are not those in use")
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(checkEvery)
		if !admitted(someToken) {
			t.Error("a file that is missing for a moment takes the tokens away")
		}
		writeTokens(t, path, next)
		time.Sleep(checkEvery)
		if !admitted(next) {
			t.Error("a file that came back is not read")
		}
	})
}

// TestAnyCallerWithoutTokens: without tokens and certificates there is one caller.
func TestAnyCallerWithoutTokens(t *testing.T) {
	t.Parallel()
	var none *Tokens
	ctx, err := none.authenticate(context.Background(), "/google.longrunning.Operations/GetOperation")
	if err != nil || caller(ctx) != "" {
		t.Errorf("caller is %q, %v", caller(ctx), err)
	}
	if err := list(t.Context(), dial(t, serve(t, Config{}), insecure.NewCredentials())); err != nil {
		t.Error(err)
	}
}
