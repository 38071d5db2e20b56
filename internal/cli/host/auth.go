package host

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Tokens are the bearer tokens that callers may show. Nil lets everybody in.
// They are kept and compared as hashes, so that how long a comparison takes
// tells nothing about a token.
type Tokens map[[sha256.Size]byte]struct{}

// minToken is the least length of a token: what somebody types is no token.
const minToken = 16

// ReadTokens reads a file of tokens, one a line. Empty lines, and those that
// begin with "#", are left out. Errors name lines, never tokens.
func ReadTokens(path string) (Tokens, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	tokens := Tokens{}
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

// caller returns who calls, as far as the tokens tell.
func caller(ctx context.Context) string {
	name, _ := ctx.Value(callerKey{}).(string)
	return name
}

// admit returns ctx with the caller's name, or UNAUTHENTICATED.
func (t Tokens) admit(ctx context.Context, authorization []string) (context.Context, error) {
	if t == nil {
		return ctx, nil
	}
	if len(authorization) != 1 {
		return nil, status.Error(codes.Unauthenticated, "a bearer token is required")
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, status.Error(codes.Unauthenticated, "a bearer token is required")
	}
	hash := sha256.Sum256([]byte(strings.TrimSpace(token)))
	if _, ok := t[hash]; !ok {
		return nil, status.Error(codes.Unauthenticated, "the bearer token is not known here")
	}
	return context.WithValue(ctx, callerKey{}, hex.EncodeToString(hash[:8])), nil
}

// open reports whether a method is for everybody: probes have no token.
func open(method string) bool {
	return strings.HasPrefix(method, "/"+healthpb.Health_ServiceDesc.ServiceName+"/")
}

// unary is an interceptor that admits callers.
func (t Tokens) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if !open(info.FullMethod) {
		var err error
		if ctx, err = t.admit(ctx, metadata.ValueFromIncomingContext(ctx, "authorization")); err != nil {
			return nil, err
		}
	}
	return next(ctx, req)
}

// stream is an interceptor that admits callers.
func (t Tokens) stream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if !open(info.FullMethod) {
		if _, err := t.admit(s.Context(), metadata.ValueFromIncomingContext(s.Context(), "authorization")); err != nil {
			return err
		}
	}
	return next(srv, s)
}
