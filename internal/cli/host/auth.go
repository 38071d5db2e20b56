package host

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// Tokens are the bearer tokens that callers may show, as a file has them. Nil
// admits every caller. They are kept and compared as hashes, so that how long a
// comparison takes reveals nothing about a token.
type Tokens struct {
	file *fresh[map[[sha256.Size]byte]struct{}]
}

// minToken is the least length of a token: what a person types is no token.
const minToken = 16

// ReadTokens reads a file of tokens, one a line. Empty lines, and those that
// begin with "#", are left out. Errors name lines, never tokens. The file is read
// again when it changes; the logger hears of that.
func ReadTokens(path string, logger *slog.Logger) (*Tokens, error) {
	file, err := newFresh(func() (map[[sha256.Size]byte]struct{}, error) { return parseTokens(path) }, logger, path)
	if err != nil {
		return nil, err
	}
	return &Tokens{file}, nil
}

func parseTokens(path string) (map[[sha256.Size]byte]struct{}, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	tokens := map[[sha256.Size]byte]struct{}{}
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.ContainsAny(line, " \t"):
			return nil, fmt.Errorf("%q line %d is more than one word", path, n)
		case len(line) < minToken:
			return nil, fmt.Errorf("%q line %d has a token of fewer than %d characters", path, n, minToken)
		default:
			tokens[sha256.Sum256([]byte(line))] = struct{}{}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	if len(tokens) == 0 {
		return nil, fmt.Errorf("%q has no token", path)
	}
	return tokens, nil
}

// callerKey is the key of the caller's name in a context.
type callerKey struct{}

// caller returns who calls, as far as tokens or certificates tell.
func caller(ctx context.Context) string {
	name, _ := ctx.Value(callerKey{}).(string)
	return name
}

// authenticate decides about a call over gRPC or HTTP/JSON before anything of its
// message is read. The ctx that it returns has the caller's name.
func (t *Tokens) authenticate(ctx context.Context, method string) (context.Context, error) {
	if open(method) {
		return ctx, nil
	}
	return t.admit(ctx, metadata.ValueFromIncomingContext(ctx, "authorization"))
}

// admit returns ctx with the caller's name, or UNAUTHENTICATED. Without tokens a
// caller is who its certificate says.
func (t *Tokens) admit(ctx context.Context, authorization []string) (context.Context, error) {
	if t == nil {
		return withCertificate(ctx), nil
	}
	if len(authorization) != 1 {
		return nil, unauthenticated("CREDENTIALS_MISSING", "a bearer token is required")
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, unauthenticated("CREDENTIALS_MISSING", "a bearer token is required")
	}
	hash := sha256.Sum256([]byte(strings.TrimSpace(token)))
	if _, ok := t.file.get()[hash]; !ok {
		return nil, unauthenticated("TOKEN_UNKNOWN", "the bearer token is unknown")
	}
	return context.WithValue(ctx, callerKey{}, hex.EncodeToString(hash[:8])), nil
}

// errorDomain is that of errors of the command's own server.
const errorDomain = "github.com/go-lro/lro"

// unauthenticated is the error of a caller that is not admitted, in the form that
// AIP-193 requires.
func unauthenticated(reason, message string) error {
	st := status.New(codes.Unauthenticated, message)
	if detailed, err := st.WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: errorDomain}); err == nil {
		st = detailed
	}
	return st.Err()
}

// withCertificate returns ctx with the caller that the peer's certificate names.
// Only a certificate that was verified names one.
func withCertificate(ctx context.Context) context.Context {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ctx
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return ctx
	}
	return context.WithValue(ctx, callerKey{}, callerOf(info.State.VerifiedChains[0][0]))
}

// callerOf returns the name of the caller of a certificate: the same for the next
// certificate of that caller, so it is made of who the certificate is for. That is
// the URI, as in SPIFFE, then the subject, then another alternative name; the key
// names who has none of them.
func callerOf(c *x509.Certificate) string {
	who := ""
	switch {
	case len(c.URIs) > 0:
		who = "uri " + c.URIs[0].String()
	case c.Subject.String() != "":
		who = "subject " + c.Subject.String()
	case len(c.DNSNames) > 0:
		who = "dns " + c.DNSNames[0]
	case len(c.EmailAddresses) > 0:
		who = "email " + c.EmailAddresses[0]
	case len(c.IPAddresses) > 0:
		who = "ip " + c.IPAddresses[0].String()
	default:
		who = "key " + string(c.RawSubjectPublicKeyInfo)
	}
	hash := sha256.Sum256([]byte(who))
	return "certificate-" + hex.EncodeToString(hash[:16])
}

// open reports whether a method needs no token: probes have no token.
func open(method string) bool {
	return strings.HasPrefix(method, "/"+healthpb.Health_ServiceDesc.ServiceName+"/")
}
