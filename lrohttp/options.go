package lrohttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/go-lro/lro/internal/httpcall"
	"github.com/go-lro/lro/lropb"
)

// Defaults of [WithMaxBody].
const (
	// DefaultMaxResponse is what a client reads of an answer, in bytes: four
	// times what a gRPC client does by default, since JSON is larger than
	// protobuf.
	DefaultMaxResponse = 16 << 20
	// DefaultMaxRequest is what a handler reads of a request, in bytes.
	DefaultMaxRequest = 4 << 20
)

// Resolver finds message types by their names, to read and write what is in an
// Any. protoregistry.GlobalTypes is one.
type Resolver interface {
	protoregistry.MessageTypeResolver
	protoregistry.ExtensionTypeResolver
}

// Option sets something that clients and handlers have in common.
type Option interface {
	ClientOption
	HandlerOption
}

// ClientOption sets something of a [Client].
type ClientOption interface{ applyToClient(*clientConfig) error }

// HandlerOption sets something of a handler; see [NewHandler].
type HandlerOption interface{ applyToHandler(*handlerConfig) error }

// shared is the part of the configuration that both sides have.
type shared struct {
	prefix  string
	rules   []*annotations.HttpRule
	types   Resolver
	maxBody int64
}

type clientConfig struct {
	shared
	client *http.Client
	header http.Header
}

type handlerConfig struct {
	shared
	starter      lropb.StarterServer
	authenticate func(context.Context, string) (context.Context, error)
	interceptors []grpc.UnaryServerInterceptor
	domain       string
}

type option func(*shared) error

func (o option) applyToClient(c *clientConfig) error   { return o(&c.shared) }
func (o option) applyToHandler(c *handlerConfig) error { return o(&c.shared) }

type clientOption func(*clientConfig) error

func (o clientOption) applyToClient(c *clientConfig) error { return o(c) }

type handlerOption func(*handlerConfig) error

func (o handlerOption) applyToHandler(c *handlerConfig) error { return o(c) }

// WithPrefix sets the prefix of the default paths: one or more segments, or
// empty for none. Default [DefaultPrefix]. Paths of [WithRules] are as they
// are.
func WithPrefix(prefix string) Option {
	return option(func(c *shared) error {
		c.prefix = prefix
		return nil
	})
}

// WithRules sets the paths of methods, as the http.rules of a service's
// configuration do. The selector of a rule names the method, such as
// "google.longrunning.Operations.GetOperation"; rules for methods of services
// that this package does not know are ignored. A method that is mentioned loses
// its default paths, and has those of all its rules and their
// additional_bindings, in this order: a client uses the first that fits the
// name, a handler serves them all.
//
// The body may be "*" or empty, and response_body must be empty.
func WithRules(rules ...*annotations.HttpRule) Option {
	return option(func(c *shared) error {
		c.rules = append(c.rules, rules...)
		return nil
	})
}

// WithResolver sets where types of messages in an Any are looked up. Default
// protoregistry.GlobalTypes, which has the types linked into the program.
func WithResolver(r Resolver) Option {
	return option(func(c *shared) error {
		if r == nil {
			return errors.New("resolver is nil")
		}
		c.types = r
		return nil
	})
}

// WithMaxBody limits what is read of the other side's message, in bytes:
// answers for a client, where more is an error of code RESOURCE_EXHAUSTED, and
// requests for a handler, which answers more with 413. Defaults
// [DefaultMaxResponse] and [DefaultMaxRequest]. n must be positive.
func WithMaxBody(n int64) Option {
	return option(func(c *shared) error {
		if n <= 0 {
			return fmt.Errorf("greatest body of %d bytes is not positive", n)
		}
		c.maxBody = n
		return nil
	})
}

// WithHTTPClient sets what requests are sent with. By default a client is used
// that is like http.DefaultClient and closes an HTTP/2 connection that has been
// silent for 20 s, during a call or not, and does not answer a ping within 10 s;
// where the program has replaced net/http's own transport, http.DefaultClient.
// A client that is given is not modified: its Transport.HTTP2 has SendPingTimeout
// and PingTimeout. Redirects are not followed, unless
// client has a CheckRedirect: http.Client would turn the POST of a cancellation
// into a GET.
func WithHTTPClient(client *http.Client) ClientOption {
	return clientOption(func(c *clientConfig) error {
		if client == nil {
			return errors.New("HTTP client is nil")
		}
		c.client = client
		return nil
	})
}

// WithHeader adds headers to every request. They are copied. Outgoing metadata
// of a call's ctx replaces those of the same name.
func WithHeader(h http.Header) ClientOption {
	return clientOption(func(c *clientConfig) error {
		for key, values := range h {
			if err := httpcall.CheckHeader(key, values...); err != nil {
				return err
			}
			c.header[http.CanonicalHeaderKey(key)] = slices.Clone(values)
		}
		return nil
	})
}

// WithStarter makes a handler serve lro.v1.Starter too.
func WithStarter(s lropb.StarterServer) HandlerOption {
	return handlerOption(func(c *handlerConfig) error {
		c.starter = s
		return nil
	})
}

// WithAuthentication sets a function that decides about each call before any of
// its query and body is read. It gets the ctx of the call, which has the
// request's headers as incoming metadata and the remote address and TLS state in
// the peer, and the full name of the method, such as
// "/google.longrunning.Operations/GetOperation". The ctx that it returns is that
// of the call. An error refuses the call; one without an ErrorInfo gets one
// whose reason is the name of its code.
//
// Interceptors run after the body has been read and decoded, so a caller that
// only they would refuse costs as much as any other. The same function guards a
// grpc.Server by guard.Authentication of package server/guard.
//
// Default nil: every call is let in. It is called by several goroutines at once.
func WithAuthentication(authenticate func(ctx context.Context, method string) (context.Context, error)) HandlerOption {
	return handlerOption(func(c *handlerConfig) error {
		c.authenticate = authenticate
		return nil
	})
}

// WithInterceptors adds interceptors around each call, the first outermost, so
// that what is around the calls of a grpc.Server is around those of a handler
// too. They see the request's headers as incoming metadata, and its TLS state in
// the peer. They run after the body was decoded; see [WithAuthentication].
func WithInterceptors(all ...grpc.UnaryServerInterceptor) HandlerOption {
	return handlerOption(func(c *handlerConfig) error {
		c.interceptors = append(c.interceptors, all...)
		return nil
	})
}

// WithErrorDomain sets the domain in the ErrorInfo of errors that a handler
// makes itself (AIP-193): the name of the service, such as
// "library.googleapis.com". Default "github.com/go-lro/lro".
func WithErrorDomain(domain string) HandlerOption {
	return handlerOption(func(c *handlerConfig) error {
		c.domain = domain
		return nil
	})
}
