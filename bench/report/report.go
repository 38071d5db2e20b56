package report

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Report is what one run found. Sections that were not run are empty.
type Report struct {
	Machine Machine           `json:"machine"`
	Run     Run               `json:"run"`
	Peers   map[string]string `json:"peers"` // versions, by name of the library

	Lateness []Lateness `json:"lateness,omitempty"`
	Memory   []Memory   `json:"memory,omitempty"`
	Polls    []Poll     `json:"polls,omitempty"`
	Survival []Survival `json:"survival,omitempty"`
	Server   []Figure   `json:"server,omitempty"`
	Temporal []Figure   `json:"temporal,omitempty"`
}

// Machine is where it was run.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memory_bytes"`
	OS     string `json:"os"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Python string `json:"python"`
	Node   string `json:"node"`
}

// Run is how and when it was run.
type Run struct {
	Command string        `json:"command"`
	Begin   time.Time     `json:"begin"`
	Took    time.Duration `json:"took_ns"`
	Commit  string        `json:"commit"` // with "+changes" if the checkout had any
	Short   bool          `json:"short"`
	// Load is the load average of a minute before the run. Others is which part
	// of the processors programs that do not belong to a section used while it
	// ran, by name of the section.
	Load   float64            `json:"load"`
	Others map[string]float64 `json:"others"`
}

// Lateness is how long after the end of its operation a client knew.
type Lateness struct {
	Client  string  `json:"client"`
	Nominal float64 `json:"nominal_s"`
	Late    Sample  `json:"late_s"`
	Calls   float64 `json:"calls_per_operation"`
	Failed  int     `json:"failed"` // waits that did not return the operation's response
	Note    string  `json:"note,omitempty"`
}

// Memory is what waiting for operations that do not end takes.
type Memory struct {
	Client     string  `json:"client"`
	Operations int     `json:"operations"`
	Window     float64 `json:"window_s"`       // from when all are waited for
	Resident   int64   `json:"resident_bytes"` // of the process, at the end of the window
	Peak       int64   `json:"peak_bytes"`
	CPU        float64 `json:"cpu_s"` // of the process, from its start to the end of the window
	Calls      int64   `json:"calls"` // in that time
	GaveUp     int     `json:"gave_up"`
	Note       string  `json:"note,omitempty"` // why there is nothing
}

// Poll is what asking once costs over the same call of the bare stub.
type Poll struct {
	Client  string `json:"client"`
	Stub    Sample `json:"stub_us"`
	Poll    Sample `json:"poll_us"`
	Control Sample `json:"control_us"` // the stub once more, for the noise
	// Allocs is how many allocations more than the stub a poll makes, in the
	// processes of client and service together; ClientAllocs in the client's alone.
	// 0 where the language does not count them.
	ClientAllocs float64 `json:"client_allocs,omitempty"`
	Allocs       float64 `json:"allocs,omitempty"`
	Note         string  `json:"note,omitempty"`
}

// Ratio is the medians' ratio of a poll and the stub; ControlRatio that of the
// stub and itself.
func (p Poll) Ratio() float64        { return p.Poll.Median / p.Stub.Median }
func (p Poll) ControlRatio() float64 { return p.Control.Median / p.Stub.Median }

// Survival is what became of waits through a fault.
type Survival struct {
	Scenario string `json:"scenario"`
	Client   string `json:"client"`
	Waits    int    `json:"waits"`
	Right    int    `json:"right"`   // returned what the operation ended with
	GaveUp   int    `json:"gave_up"` // returned an error of their own
	Wrong    int    `json:"wrong"`   // returned what it did not end with
	Hung     int    `json:"hung"`    // did not return
	Error    string `json:"error,omitempty"`
	Late     Sample `json:"late_s"` // of the right ones
	Note     string `json:"note,omitempty"`
}

// Figure is a metric of a benchmark of package testing.
type Figure struct {
	What    string  `json:"what"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	Promise string  `json:"promise,omitempty"` // what the value should be
	Package string  `json:"package"`
	Bench   string  `json:"bench"`
	Note    string  `json:"note,omitempty"`
}

// Read reads a report from a file.
func Read(path string) (*Report, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("read report %q: %w", path, err)
	}
	return &r, nil
}

// Write writes the report to a file.
func (r *Report) Write(path string) error {
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
