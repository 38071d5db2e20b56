package main

import (
	"regexp"
	"slices"
)

// scenarioNames are all scenarios, in the order in which they are printed.
//
//	start     an operation: its name, not done, its metadata
//	success   wait for a typed response
//	metadata  of the right type, with progress, while it works and at its end
//	failure   the error's code, message, and its details decoded
//	cancel    and wait; it ends with the client's own error for CANCELLED
//	delete    what ended, and it is gone
//	list      62 operations, page by page, by two filters
//	wait      WaitOperation until the end, and shorter than that
//	unknown   a name that does not exist is the client's own NOT_FOUND
//	library   start and wait for an export of examples/library
var scenarioNames = []string{"start", "success", "metadata", "failure", "cancel", "delete", "list", "wait", "unknown", "library"}

// column is one client.
type column struct {
	name      string
	part      string // what install.sh installs, and who plays; see house.player
	client    string // the player's name of it
	parent    string // of the operations it starts; "" for names such as operations/x
	scenarios []string
	broken    map[string]*defect // by scenario
}

// defect is how a client is known to be broken.
type defect struct {
	why string
	// want is what the player's error must match.
	want *regexp.Regexp
}

// What every future can do, and every client of the Operations service.
var (
	future = []string{"start", "success", "metadata", "failure", "cancel", "unknown"}
	client = []string{"start", "success", "failure", "cancel", "delete", "list", "unknown"}
)

// parent is for clients that cannot reach operations/x over REST.
const parent = "projects/p/locations/l"

var (
	fromGrpc = &defect{
		why:  "from_grpc passes an argument to its own helper that this does not have, so it never gets as far as a call",
		want: regexp.MustCompile(`TypeError: _refresh_grpc\(\) got an unexpected keyword argument 'metadata'`),
	}
	asyncCode = &defect{
		why:  "operation_async makes a plain GoogleAPICallError of every failed operation: its code is lost",
		want: regexp.MustCompile(`AssertionError: GoogleAPICallError\(`),
	}
	nodeDetails = &defect{
		why:  "google-gax's Operation fails with code and message alone: the details are lost",
		want: regexp.MustCompile(`the error has no details`),
	}
	goWait = &defect{
		why:  "the generated client has no path for WaitOperation over REST and asks for GET /, which is the console here",
		want: regexp.MustCompile(`invalid value (<|\\u003c)`),
	}
)

// columns is what we expect of every client.
var columns = []column{
	{name: "go longrunning.Operation gRPC", part: "go", client: "future-grpc", scenarios: with(future, "delete", "library")},
	{name: "go longrunning.Operation REST", part: "go", client: "future-rest", scenarios: with(future, "delete")},
	{name: "go OperationsClient gRPC", part: "go", client: "client-grpc", scenarios: with(client, "wait")},
	{
		name: "go OperationsClient REST", part: "go", client: "client-rest", scenarios: with(client, "wait"),
		broken: map[string]*defect{"wait": goWait},
	},
	{name: "python from_gapic", part: "python", client: "from_gapic", scenarios: with(future, "library")},
	{
		name: "python from_grpc", part: "python", client: "from_grpc", scenarios: future,
		broken: map[string]*defect{
			"success": fromGrpc, "metadata": fromGrpc, "failure": fromGrpc, "cancel": fromGrpc, "unknown": fromGrpc,
		},
	},
	{name: "python from_http_json", part: "python", client: "from_http_json", parent: parent, scenarios: future},
	{
		name: "python operation_async", part: "python", client: "operation_async", scenarios: with(future, "library"),
		broken: map[string]*defect{"failure": asyncCode, "cancel": asyncCode},
	},
	{name: "python OperationsClient gRPC", part: "python", client: "OperationsClient", scenarios: client},
	{name: "python OperationsAsyncClient gRPC", part: "python", client: "OperationsAsyncClient", scenarios: client},
	{name: "python AbstractOperationsClient REST", part: "python", client: "AbstractOperationsClient", parent: parent, scenarios: client},
	{name: "python AsyncOperationsRestClient", part: "python", client: "AsyncOperationsRestClient", parent: parent, scenarios: client},
	{
		name: "node Operation gRPC", part: "node", client: "Operation-grpc", scenarios: with(future, "library"),
		broken: map[string]*defect{"failure": nodeDetails},
	},
	{
		name: "node Operation REST", part: "node", client: "Operation-rest", parent: parent, scenarios: future,
		broken: map[string]*defect{"failure": nodeDetails},
	},
	{name: "node OperationsClient gRPC", part: "node", client: "OperationsClient-grpc", scenarios: client},
	{name: "node OperationsClient REST", part: "node", client: "OperationsClient-rest", parent: parent, scenarios: client},
	{name: "java OperationFuture gRPC", part: "java", client: "OperationFuture", scenarios: with(future, "library")},
	{name: "java OperationsClient gRPC", part: "java", client: "OperationsClient", scenarios: with(client, "wait")},
	{name: "grpcurl", part: "grpcurl", client: "grpcurl", scenarios: scenarioNames},
}

// with returns scenarios and more.
func with(scenarios []string, more ...string) []string {
	return slices.Concat(scenarios, more)
}
