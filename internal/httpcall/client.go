package httpcall

import (
	"context"
	"net/http"
	"net/url"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Options are the gRPC call options that mean something over HTTP. The zero
// value is no options.
type Options struct {
	header, trailer []*metadata.MD
	creds           []credentials.PerRPCCredentials
	// MaxResponse is that of grpc.MaxCallRecvMsgSize, in bytes; 0 if not given.
	MaxResponse int64
}

// OptionsOf returns the options of a call. Others than grpc.Header,
// grpc.Trailer, grpc.PerRPCCredentials and grpc.MaxCallRecvMsgSize are ignored.
func OptionsOf(opts []grpc.CallOption) Options {
	var o Options
	for _, opt := range opts {
		switch opt := opt.(type) {
		case grpc.HeaderCallOption:
			o.header = append(o.header, opt.HeaderAddr)
		case grpc.TrailerCallOption:
			o.trailer = append(o.trailer, opt.TrailerAddr)
		case grpc.PerRPCCredsCallOption:
			o.creds = append(o.creds, opt.Creds)
		case grpc.MaxRecvMsgSizeCallOption:
			o.MaxResponse = int64(opt.MaxRecvMsgSize)
		}
	}
	return o
}

// Outgoing sets the headers of a request to u: the outgoing metadata of ctx, then
// those of the call's credentials. Its errors have a gRPC status.
func (o Options) Outgoing(ctx context.Context, u *url.URL, h http.Header) error {
	md, _ := metadata.FromOutgoingContext(ctx)
	if err := SetHeader(h, md); err != nil {
		return status.Errorf(codes.Internal, "outgoing metadata: %v", err)
	}
	for _, creds := range o.creds {
		if creds.RequireTransportSecurity() && u.Scheme != "https" {
			return status.Errorf(codes.Unauthenticated, "credentials that need transport security cannot be sent over %s", u.Scheme)
		}
		secrets, err := creds.GetRequestMetadata(ctx, u.Scheme+"://"+u.Host)
		if err != nil {
			return credentialsError{err}
		}
		if err := SetHeader(h, metadata.New(secrets)); err != nil {
			return status.Errorf(codes.Unauthenticated, "credentials of the call: %v", err)
		}
	}
	return nil
}

// Received gives the headers and trailers of an answer to the options that want
// them. Nil is none.
func (o Options) Received(header, trailer http.Header) {
	for _, md := range o.header {
		*md = Metadata(header)
	}
	for _, md := range o.trailer {
		*md = Metadata(trailer)
	}
}

// credentialsError is that of credentials that cannot be had. It has the status
// of its cause, else UNAVAILABLE.
type credentialsError struct{ cause error }

func (e credentialsError) Error() string { return e.GRPCStatus().Err().Error() }
func (e credentialsError) Unwrap() error { return e.cause }
func (e credentialsError) GRPCStatus() *status.Status {
	if st, ok := status.FromError(e.cause); ok {
		return st
	}
	return status.Newf(codes.Unavailable, "could not get credentials: %v", e.cause)
}
