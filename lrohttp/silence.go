package lrohttp

import (
	"net/http"
	"time"
)

// A connection that swallows what is sent, as after a NAT or VPN forgot it, is
// found within pingAfter and pingTimeout together: the length of a long poll.
const (
	pingAfter   = 20 * time.Second
	pingTimeout = 10 * time.Second
)

// defaultClient returns what a [Client] sends requests with by default: a client
// like http.DefaultClient, which tests HTTP/2 connections that are silent.
// net/http does not, so that calls would use a dead connection for as long as
// the operating system retransmits, some 15 minutes. What a program has set in
// place of net/http's own transport stays.
func defaultClient() *http.Client {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok || http.DefaultClient.Transport != nil {
		return http.DefaultClient
	}
	client := *http.DefaultClient
	own := transport.Clone()
	if own.HTTP2 == nil {
		own.HTTP2 = &http.HTTP2Config{}
	}
	if own.HTTP2.SendPingTimeout == 0 {
		own.HTTP2.SendPingTimeout, own.HTTP2.PingTimeout = pingAfter, pingTimeout
	}
	client.Transport = own
	return &client
}
