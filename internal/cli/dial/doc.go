// Package dial reaches the service that the flags of a verb, or the
// environment, name: over gRPC or HTTP/JSON, with TLS unless told otherwise,
// with credentials. What comes back is the same client either way. It also
// says in words that people understand what a call failed with.
package dial
