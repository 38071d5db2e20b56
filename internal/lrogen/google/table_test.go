package google

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of docs/google-cloud.md anew")

const (
	tablePage  = "../../../docs/google-cloud.md"
	tableBegin = "<!-- The rest of this section is made by: go test ./internal/lrogen/google -run=TestServiceTable -update -->\n"
	tableEnd   = "<!-- end -->\n"
)

// TestServiceTable makes the table of services in docs/google-cloud.md out of the
// source of their clients, and compares it with what is there.
func TestServiceTable(t *testing.T) {
	t.Parallel()
	page := read(t, tablePage)
	before, rest, ok := strings.Cut(page, tableBegin)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !ok || !ended {
		t.Fatalf("%s has no lines %q and %q", tablePage, tableBegin, tableEnd)
	}
	want := before + tableBegin + "\n" + serviceTable(t) + "\n" + tableEnd + after
	switch {
	case page == want:
	case *update:
		if err := os.WriteFile(tablePage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the table of %s is stale: run this test with -update", tablePage)
	}
}

// source is what the source of a package says of its clients.
type source struct {
	hosts      map[string]bool
	functions  map[string]bool            // exported
	methods    map[string]map[string]bool // by receiver
	starts     map[string]int             // by receiver, methods that return an operation
	metadata   map[string]bool            // types
	operations map[string]bool            // types of operations with Poll; true if there is no response
}

var endpoint = regexp.MustCompile(`"(?:https://)?([a-z0-9-]+\.googleapis\.com)[/:"]`)

// sourceOf reads a package, as the module in the folder requires it. started is
// the type that methods which start operations return; empty for generated
// wrappers.
func sourceOf(t *testing.T, module, pkg, started string) *source {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}", pkg)
	list.Dir = module
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list %s: %v", pkg, err)
	}
	s := &source{
		hosts: map[string]bool{}, functions: map[string]bool{}, methods: map[string]map[string]bool{},
		starts: map[string]int{}, metadata: map[string]bool{}, operations: map[string]bool{},
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var functions []*ast.FuncDecl
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				functions = append(functions, f)
			}
		}
		for _, m := range endpoint.FindAllStringSubmatch(read(t, file), -1) {
			s.hosts[m[1]] = m[1] != "www.googleapis.com" // that is of scopes
		}
	}
	for _, f := range functions {
		s.add(f)
	}
	for _, f := range functions {
		s.count(f, started)
	}
	return s
}

// add notes a function or method.
func (s *source) add(f *ast.FuncDecl) {
	if f.Recv == nil {
		s.functions[f.Name.Name] = true
		return
	}
	on := strings.TrimPrefix(types.ExprString(f.Recv.List[0].Type), "*")
	if s.methods[on] == nil {
		s.methods[on] = map[string]bool{}
	}
	s.methods[on][f.Name.Name] = true
	switch f.Name.Name {
	case "Poll":
		s.operations[on] = len(f.Type.Results.List) == 1
	case "Metadata":
		s.metadata[strings.TrimPrefix(types.ExprString(f.Type.Results.List[0].Type), "*")] = true
	}
}

// count counts the methods that start operations.
func (s *source) count(f *ast.FuncDecl, started string) {
	if f.Recv == nil || !f.Name.IsExported() || f.Type.Results == nil || len(f.Type.Results.List) != 2 {
		return
	}
	on := strings.TrimPrefix(types.ExprString(f.Recv.List[0].Type), "*")
	returned := types.ExprString(f.Type.Results.List[0].Type)
	_, wraps := s.operations[strings.TrimPrefix(returned, "*")]
	if started != "" && returned == started || started == "" && wraps && strings.HasPrefix(returned, "*") {
		s.starts[on]++
	}
}

// yes says which of methods on a type there are, by their first words.
func (s *source) yes(on string, methods ...string) string {
	var found []string
	for _, m := range methods {
		if s.methods[on][m] {
			found = append(found, strings.TrimSuffix(strings.TrimSuffix(m, "Operations"), "Operation"))
		}
	}
	return strings.Join(found, ", ")
}

func (s *source) host() string {
	maps.DeleteFunc(s.hosts, func(_ string, own bool) bool { return !own })
	return strings.Join(slices.Sorted(maps.Keys(s.hosts)), ", ")
}

// quirks are what the source does not say, by host.
var quirks = map[string]string{
	"compute.googleapis.com":   "no cancel; the generated `Wait` returns nil for some failures (googleapis/google-cloud-go#7876)",
	"container.googleapis.com": "names are bare IDs; some failures are in `status_message` alone; ABORTING still runs",
	"sqladmin.googleapis.com":  "failures have codes of Cloud SQL's own",
	"speech.googleapis.com":    "polls count against a quota (googleapis/nodejs-speech#419)",
	"generativelanguage.googleapis.com, aiplatform.googleapis.com": "a getter for each kind; batches and tunings are jobs with a state",
}

// serviceTable returns the table: a row for each client whose methods return
// operations.
func serviceTable(t *testing.T) string {
	t.Helper()
	var rows [][]string
	for _, pkg := range regexp.MustCompile(`_ "(.*)"`).FindAllStringSubmatch(read(t, "clients_test.go"), -1) {
		s := sourceOf(t, ".", pkg[1], "")
		for on, starts := range s.starts {
			if ast.IsExported(on) && strings.HasSuffix(on, "Client") && s.functions["New"+on] {
				rows = append(rows, s.row(pkg[1], on, starts))
			}
		}
	}
	rows = append(rows, kin(t)...)
	slices.SortFunc(rows, func(a, b []string) int { return cmp.Or(strings.Compare(a[0], b[0]), strings.Compare(a[1], b[1])) })
	if len(rows) < 25 {
		t.Fatalf("%d rows", len(rows))
	}
	head := []string{"service", "client", "starts", "transports", "methods for operations", "metadata", "in package lro", "quirks"}
	var b strings.Builder
	for i, r := range rows {
		quirk := quirks[r[0]]
		if r[3] == "gRPC" {
			quirk = "no REST client"
		}
		rows[i] = append(r, quirk)
	}
	for _, r := range append([][]string{head, slices.Repeat([]string{"---"}, len(head))}, rows...) {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(r, " | "))
	}
	return b.String()
}

// row is of a generated client with operations of google.longrunning.
func (s *source) row(pkg, on string, starts int) []string {
	transports := "gRPC"
	if s.functions["New"+strings.TrimSuffix(on, "Client")+"RESTClient"] {
		transports += ", REST"
	}
	methods := s.yes(on, "GetOperation", "ListOperations", "CancelOperation", "DeleteOperation", "WaitOperation")
	wait := "`lrogax.Service(c)`"
	if !s.methods[on]["GetOperation"] {
		methods = cmp.Or(methods, "none")
		wait = "`lrogax.New(c.LROClient)`, over REST `lrogax.PollService`"
	}
	var metadata []string
	for name := range maps.Keys(s.metadata) {
		metadata = append(metadata, "`"+name[strings.LastIndexByte(name, '.')+1:]+"`")
	}
	if slices.Sort(metadata); len(metadata) > 2 {
		metadata = []string{metadata[0], fmt.Sprintf("%d more", len(metadata)-1)}
	}
	return []string{
		s.host(), fmt.Sprintf("`%s.%s`", strings.TrimPrefix(pkg, "cloud.google.com/go/"), on), fmt.Sprint(starts), transports, methods, strings.Join(metadata, ", "), wait,
	}
}

// kin are the rows of services whose operations have forms of their own.
func kin(t *testing.T) [][]string {
	t.Helper()
	const kintest, computetest = "../../kintest", "../../../lroext/internal/computetest"
	gke := sourceOf(t, kintest, "cloud.google.com/go/container/apiv1", "*containerpb.Operation")
	sql := sourceOf(t, kintest, "google.golang.org/api/sqladmin/v1", "*Operation")
	genai := sourceOf(t, kintest, "google.golang.org/genai", "")
	compute := sourceOf(t, computetest, "cloud.google.com/go/compute/apiv1", "*Operation")
	total := func(s *source, not string) string {
		n := 0
		for on, starts := range s.starts {
			if ast.IsExported(on) && !strings.Contains(on, not) {
				n += starts
			}
		}
		return fmt.Sprint(n)
	}
	rows := [][]string{
		{"container.googleapis.com", "`container/apiv1.ClusterManagerClient`", fmt.Sprint(gke.starts["ClusterManagerClient"] - 1 /* GetOperation */), "gRPC, REST", gke.yes("ClusterManagerClient", "GetOperation", "ListOperations", "CancelOperation"), "the operation", "[lroadapt](kin.md#gke)"},
		{"sqladmin.googleapis.com", "`sqladmin.OperationsService`", total(sql, "OperationsGetCall"), "REST", sql.yes("OperationsService", "Get", "List", "Cancel"), "the operation", "[lroadapt](kin.md#cloud-sql)"},
		{"generativelanguage.googleapis.com, aiplatform.googleapis.com", "`genai.Operations`", "3", "REST", genai.yes("Operations", "GetVideosOperation", "GetUploadToFileSearchStoreOperation", "GetImportFileOperation"), "a map", "[lroadapt](kin.md#google-gen-ai)"},
	}
	for _, scope := range []string{"ZoneOperations", "RegionOperations", "GlobalOperations", "GlobalOrganizationOperations"} {
		rows = append(rows, []string{"compute.googleapis.com", "`compute/apiv1." + scope + "Client`", total(compute, "Operations") + " in all", "REST", compute.yes(scope+"Client", "Get", "Wait", "List", "AggregatedList", "Delete"), "the operation", "[lroext](compute.md)"})
	}
	return rows
}
