package scenarios

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Scenario is one scenario of a file; README.md describes the fields.
type Scenario struct {
	Name        string          `json:"name"`
	About       string          `json:"about"`
	By          []string        `json:"by"`
	Operation   json.RawMessage `json:"operation"`
	Server      Server          `json:"server"`
	Caller      Caller          `json:"caller"`
	Open        map[string]any  `json:"open"`
	Steps       []Step          `json:"steps"`
	Calls       map[string]any  `json:"calls"`
	Differences []Difference    `json:"differences"`

	// File is where it was read from.
	File string `json:"-"`
}

// Server is what the scripted server does.
type Server struct {
	Methods       []string   `json:"methods"`
	Get           []Reply    `json:"get"`
	Cancel        *OnCancel  `json:"cancel"`
	Pages         [][]string `json:"pages"`
	RecordHeaders []string   `json:"record_headers"`
}

// OnCancel is what CancelOperation does.
type OnCancel struct {
	Error *Status `json:"error"`
	Get   []Reply `json:"get"`
}

// Reply is an answer of the server to the question for the operation.
type Reply struct {
	Operation json.RawMessage `json:"operation"`
	Error     *Status         `json:"error"`
	HTTP      *HTTPReply      `json:"http"`
	Drop      bool            `json:"drop"`

	Delay Duration  `json:"delay"`
	Times int       `json:"times"`
	For   *Duration `json:"for"`
}

// Status is a google.rpc.Status whose code is a name.
type Status struct {
	Code    string            `json:"code"`
	Message string            `json:"message"`
	Details []json.RawMessage `json:"details"`
}

// HTTPReply is sent over HTTP as it stands.
type HTTPReply struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

// Caller is how the caller makes its future.
type Caller struct {
	Response     string        `json:"response"`
	Metadata     string        `json:"metadata"`
	Poll         Poll          `json:"poll"`
	GRPCMetadata *GRPCMetadata `json:"grpc_metadata"`
	HTTPJSON     *HTTPJSON     `json:"http_json"`
}

// Poll is when to ask.
type Poll struct {
	Initial    Duration `json:"initial"`
	Max        Duration `json:"max"`
	Multiplier float64  `json:"multiplier"`
	On         []string `json:"on"`
}

// GRPCMetadata goes with every call.
type GRPCMetadata struct {
	Pairs [][2]string `json:"pairs"`
	Tuple bool        `json:"tuple"`
}

// HTTPJSON is about futures that make up the path themselves.
type HTTPJSON struct {
	RemovePrefix string `json:"remove_prefix"`
}

// Step is something the caller does.
type Step struct {
	Do      string          `json:"do"`
	Timeout *Duration       `json:"timeout"`
	Retry   *Retry          `json:"retry"`
	Waiters int             `json:"waiters"`
	As      string          `json:"as"`
	Takes   Duration        `json:"takes"`
	Of      string          `json:"of"`
	Within  Duration        `json:"within"`
	Max     int             `json:"max"`
	Value   json.RawMessage `json:"value"`
	Bytes   []byte          `json:"bytes"`
	Expect  map[string]any  `json:"expect"`
}

// Retry is how each question is repeated.
type Retry struct {
	On      []string `json:"on"`
	Initial Duration `json:"initial"`
	Max     Duration `json:"max"`
	Timeout Duration `json:"timeout"`
}

// Difference is something that a future does otherwise than expected.
type Difference struct {
	By      []string `json:"by"`
	At      string   `json:"at"`
	Is      any      `json:"is"`
	Because string   `json:"because"`
}

// Duration is written like "1.5s" or "200ms".
type Duration time.Duration

// UnmarshalJSON implements json.Unmarshaler.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("read duration: %w", err)
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("read duration: %w", err)
	}
	*d = Duration(parsed)
	return nil
}

// reasonsFile explains the reasons of differences.
const reasonsFile = "reasons.json"

// Load reads all scenarios below dir, and the reasons of differences. It fails
// on a field that README.md does not have, and on scenarios that contradict
// themselves.
func Load(fsys fs.FS) ([]Scenario, map[string]string, error) {
	var reasons map[string]string
	if err := decodeFile(fsys, reasonsFile, &reasons); err != nil {
		return nil, nil, err
	}
	files, err := fs.Glob(fsys, "*.json")
	if err != nil {
		return nil, nil, fmt.Errorf("load scenarios: %w", err)
	}
	var all []Scenario
	used := map[string]bool{}
	for _, file := range files {
		if file == reasonsFile {
			continue
		}
		var content struct {
			Scenarios []Scenario `json:"scenarios"`
		}
		if err := decodeFile(fsys, file, &content); err != nil {
			return nil, nil, err
		}
		for _, s := range content.Scenarios {
			s.File = file
			if err := s.check(reasons); err != nil {
				return nil, nil, fmt.Errorf("load %s: scenario %q: %w", file, s.Name, err)
			}
			if slices.ContainsFunc(all, func(o Scenario) bool { return o.Name == s.Name }) {
				return nil, nil, fmt.Errorf("load %s: two scenarios %q", file, s.Name)
			}
			for _, d := range s.Differences {
				used[d.Because] = true
			}
			all = append(all, s)
		}
	}
	for reason := range reasons {
		if !used[reason] {
			return nil, nil, fmt.Errorf("load %s: no difference has the reason %q", reasonsFile, reason)
		}
	}
	return all, reasons, nil
}

func decodeFile(fsys fs.FS, file string, into any) error {
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return fmt.Errorf("load scenarios: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("load %s: %w", file, err)
	}
	return nil
}

// defaultBy are the futures of a scenario that names none.
var defaultBy = []string{"lro/grpc", "lro/http", "python/from_gapic", "python/asyncio", "python/from_gapic_rest", "python/from_http_json"}

// RunBy reports whether the future takes part in the scenario.
func (s *Scenario) RunBy(way string) bool {
	if len(s.By) == 0 {
		return slices.Contains(defaultBy, way)
	}
	return matches(s.By, way)
}

// matches reports whether way is in the list, in which "python/*" stands for
// all that begin so.
func matches(list []string, way string) bool {
	return slices.ContainsFunc(list, func(p string) bool {
		prefix, ok := strings.CutSuffix(p, "*")
		return p == way || ok && strings.HasPrefix(way, prefix)
	})
}

func (s *Scenario) check(reasons map[string]string) error {
	if s.Name == "" || s.About == "" || len(s.Operation) == 0 || len(s.Steps) == 0 {
		return fmt.Errorf("name, about, operation and steps must be there")
	}
	for i, step := range s.Steps {
		if step.Expect == nil {
			return fmt.Errorf("step %d expects nothing", i)
		}
	}
	for _, d := range s.Differences {
		if reasons[d.Because] == "" {
			return fmt.Errorf("difference at %q: no reason %q in %s", d.At, d.Because, reasonsFile)
		}
		if len(d.By) == 0 {
			return fmt.Errorf("difference at %q names no client", d.At)
		}
	}
	return nil
}
