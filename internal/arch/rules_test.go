package arch

// modulePath is the root module. Packages of nested modules are named by their
// folder too, so that "temporal" below is one table with the rest.
const modulePath = "github.com/go-lro/lro"

// direction says what of ours the non-test code of a package may import. Tests
// may import anything.
//
// A pattern is a folder below the root of the repository, "." for the root
// itself, or a folder and all below it if it ends in "/..."; "..." is
// everything. The longest pattern that fits a package is its rule. A package
// below another one's internal folder counts as that other one.
type direction struct {
	from string
	may  []string
	why  string
}

var directions = []direction{
	{".", nil, "who only waits for an operation gets nothing else of ours"},
	{"lropb", nil, "generated messages stand at the bottom"},
	{"lrohttp", []string{"."}, "transports and adapters extend the future, not each other"},
	{"lroconnect", []string{"."}, "transports and adapters extend the future, not each other"},
	{"lrogax", []string{".", "internal/gaxcall"}, "transports and adapters extend the future, not each other"},
	{"lroext", []string{".", "internal/extop", "internal/fetch", "internal/gaxcall"}, "transports and adapters extend the future, not each other"},
	{"lroadapt", []string{".", "internal/fetch"}, "transports and adapters extend the future, not each other"},
	{"lrovanguard", []string{"lroconnect", "lrohttp"}, "the one place that puts transports onto one port"},
	{"lrovanguard/example", []string{"..."}, "a program puts everything together"},
	{"lrotest", []string{"."}, "the test kit plays a service for the future"},
	{"lrootel", []string{"."}, "telemetry sits on the observer hook"},
	{"server", []string{"server/engine"}, "the service knows an engine only by its contract"},
	{"server/guard", nil, "limits any server, not only one of operations"},
	{"server/serverotel", []string{"server", "server/engine"}, "telemetry sits on the observer hook, and reads what engines measure"},
	{"server/servertest", []string{".", "server", "server/engine/sqlite"}, "a test wants a client of a server on a real engine, and programs do not link it"},
	{"server/engine", nil, "the contract has no implementation"},
	{"server/engine/enginetest", []string{"server/engine", "internal/oracle"}, "the suite must fit every engine"},
	{"server/engine/enginekit", []string{"server/engine"}, "engines share it, whatever they store in"},
	{"server/engine/sqlite", []string{"server/engine", "server/engine/enginekit"}, "an engine fulfils the contract and knows no service"},
	{"server/engine/postgres", []string{"server/engine", "server/engine/enginekit", "internal/pgtext"}, "an engine fulfils the contract and knows no service"},
	{"temporal/...", []string{"server/engine", "server/engine/enginekit", "temporal/...", "internal/..."}, "an engine fulfils the contract and knows no service"},
	{"temporal/cmd/...", []string{"..."}, "a program puts everything together"},
	{"console/...", []string{"console/..."}, "the console works on the small interface it declares"},
	{"console/local", []string{"console", "server"}, "the one place that knows both a server and the console"},
	{"internal/anyjson", nil, "stands at the bottom: transports write the same JSON"},
	{"internal/api", nil, "lists any module, this one too"},
	{"internal/base64url", nil, "stands at the bottom: the future, the service and engines make tokens"},
	{"internal/arch", nil, "has tests only"},
	{"internal/child", nil, "runs any program"},
	{"internal/cutproxy", nil, "stands between any two processes"},
	{"internal/extop", []string{"."}, "extended operations of the adapter and of the command, which links no client runtime"},
	{"internal/httperror", nil, "stands at the bottom: what a failed answer says is the same for all"},
	{"internal/httpcall", nil, "stands at the bottom: transports carry calls the same way"},
	{"internal/computeop", nil, "is a generated message"},
	{"internal/fetch", nil, "calls what it is given"},
	{"internal/gaxcall", nil, "stands below the adapters of generated clients"},
	{"internal/kinds/...", []string{"server"}, "a handler knows its task, no engine"},
	{"internal/leak", nil, "is used by the tests of every package"},
	{"internal/lrogen", nil, "writes code for users, and needs none of what that code needs"},
	{"internal/testpb/...", []string{".", "server", "internal/testpb/..."}, "is what users generate"},
	{"internal/pgserver", []string{"internal/child"}, "runs the server, and knows nothing that uses it"},
	{"internal/pgtest", []string{"internal/pgserver"}, "gives tests a server, and knows nothing that uses it"},
	{"internal/temporalserver", []string{"internal/child"}, "runs the server, and knows nothing that uses it"},
	{"internal/pgtext", nil, "stands at the bottom: the engine and the command show the same texts"},
	{"internal/progress", nil, "the ground floor has protobuf alone below it"},
	{"internal/rpcinfo", nil, "stands at the bottom: the future and the service compare declarations"},
	{"internal/oracle", []string{"server/engine"}, "the model is of any engine"},
	{"internal/simulation", []string{".", "server", "server/engine", "server/engine/enginetest", "internal/child", "internal/oracle"}, "the programs and their oracle must fit every engine"},
	{"internal/simulation/future", nil, "has tests only"},
	{"internal/mutation", nil, "has tests only"},
	{"internal/transporttest", []string{"."}, "the suite must fit every transport"},
	{"internal/killdemo", []string{".", "internal/child"}, "shows any engine"},
	{"internal/killdemo/postgres", []string{"..."}, "a program puts everything together"},
	{"internal/cli/...", []string{"..."}, "the command puts everything together"},
	{"cmd/...", []string{"..."}, "a program puts everything together"},
	{"examples/...", []string{"..."}, "a program puts everything together"},
	{"interop/...", []string{"..."}, "a program puts everything together"},
	{"bench/...", []string{"..."}, "a program puts everything together"},
}

// everyone may import these besides what their direction says.
var everyone = []string{"lropb", "internal/anyjson", "internal/base64url", "internal/httpcall", "internal/httperror", "internal/pause", "internal/progress", "internal/rpccode", "internal/rpcinfo"}

// link says that packages whose import path is what, or below it, may be linked
// only by the packages that match one of through, and by those that link one
// that does.
type link struct {
	what    string
	through []string
	why     string
}

var links = []link{
	{"testing", []string{"server/engine/enginetest", "internal/transporttest", "internal/pgtest", "internal/simulation"}, "a program must not carry test flags and helpers"},
	{modulePath + "/internal/leak", nil, "it ends the process"},
	{modulePath + "/internal/lrogen", []string{"cmd/protoc-gen-go-lro"}, "it is a plugin's, and programs have what it made"},
	{"google.golang.org/protobuf/compiler", []string{"internal/lrogen"}, "a program generates no code"},
	{"github.com/spf13", composers, "a library is no command"},
	{"go.opentelemetry.io", append([]string{"lrootel", "server/serverotel", "internal/gaxcall"}, composers...), "telemetry is opted into; gax brings it along"},
	{"github.com/googleapis/gax-go", gaxUsers, "the future replaces Google's client runtime"},
	{"google.golang.org/api", gaxUsers, "the future replaces Google's client runtime"},
	{"cloud.google.com/go/auth", gaxUsers, "credentials are the caller's"},
	{"cloud.google.com/go/compute/apiv1", nil, "it is 64 MB: operations are known by their annotations"},
	{"google.golang.org/genproto/googleapis/cloud", []string{"internal/computeop"}, "annotations are read by their numbers"},
	{"modernc.org/sqlite", []string{"server/engine/sqlite"}, "who brings another engine needs no SQLite"},
	{"github.com/ncruces/go-sqlite3", []string{"server/engine/sqlite"}, "who brings another engine needs no SQLite"},
	{"connectrpc.com", append([]string{"lroconnect"}, composers...), "who uses gRPC or HTTP/JSON needs no Connect"},
	{"github.com/jackc", []string{"server/engine/postgres"}, "who brings another engine needs no PostgreSQL"},
	{"go.temporal.io", []string{"temporal/..."}, "it has a module of its own"},
}

// composers put the parts together for a purpose of their own.
var composers = []string{"internal/cli/...", "cmd/...", "examples/...", "interop/..."}

// gaxUsers are the adapters of generated clients, and programs that show them: not
// the command, which carries none of it.
var gaxUsers = []string{"internal/gaxcall", "examples/...", "interop/..."}

// maxRootNames limits what package lro exports: its index must fit one's head.
const maxRootNames = 50

// Limits of a file in lines. Generated files have none.
const (
	maxLines     = 500
	maxTestLines = 900
)
