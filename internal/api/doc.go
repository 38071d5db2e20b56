// Package api lists what packages export, as text that is kept in files, so that
// a change of the public API fails a test until the file is written anew on
// purpose: in the root module by the tests of internal/arch, and "make api".
//
// A line is a name with its type; fields and methods stand below their type:
//
//	const DefaultCrashLimit untyped int = 5
//	func NewClient(service Service, opts ...ClientOption) *Client
//	type Client struct
//		method (*Client) Cancel(ctx context.Context, name string) error
//
// Packages outside the standard library are named by their whole path. What
// go/types cannot see, such as documentation and behavior, is not there.
package api
