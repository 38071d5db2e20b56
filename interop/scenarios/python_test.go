package scenarios

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// worker is a Python process that runs one scenario after the other.
type worker struct {
	in    io.WriteCloser
	lines chan []byte // closed when the process ends
	log   bytes.Buffer
	cmd   *exec.Cmd
}

// job is a line of api_core/run.py's standard input.
type job struct {
	File     string `json:"file"`
	Scenario string `json:"scenario"`
	Way      string `json:"way"`
	GRPC     string `json:"grpc"`
	HTTP     string `json:"http"`
}

func startPython(t *testing.T, python string) *worker {
	t.Helper()
	w := &worker{cmd: exec.Command(python, "-B", filepath.Join("api_core", "run.py")), lines: make(chan []byte)}
	w.cmd.Stderr = &w.log
	var err error
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", python, err)
	}
	stop, read := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(read)
		defer close(w.lines)
		scanner := bufio.NewScanner(out)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			select {
			case w.lines <- bytes.Clone(scanner.Bytes()):
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() {
		// What polls in the background is not waited for.
		close(stop)
		_ = w.in.Close()
		_ = w.cmd.Process.Kill()
		<-read
		_ = w.cmd.Wait()
	})
	if w.next(t)["ready"] != true {
		t.Fatalf("%s is not ready", python)
	}
	return w
}

// run runs a scenario and returns its record.
func (w *worker) run(t *testing.T, s *Scenario, data, way string) Record {
	t.Helper()
	served, err := Serve(s)
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	line, err := json.Marshal(job{
		File: filepath.Join(data, s.File), Scenario: s.Name, Way: way, GRPC: served.GRPC, HTTP: served.URL,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.in.Write(append(line, '\n')); err != nil {
		t.Fatalf("%s does not take a job: %v\n%s", w.cmd.Path, err, w.stopped())
	}
	record := w.next(t)
	if text, ok := record["failed"]; ok {
		t.Fatalf("%s failed:\n%s", w.cmd.Path, text)
	}
	if record["steps"] != nil {
		record["calls"] = served.Calls()
	}
	record, err = normal(record)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// next returns the next line that the process writes.
func (w *worker) next(t *testing.T) Record {
	t.Helper()
	limit := time.NewTimer(runLimit)
	defer limit.Stop()
	select {
	case answer, ok := <-w.lines:
		if !ok {
			t.Fatalf("%s ended:\n%s", w.cmd.Path, w.stopped())
		}
		var record Record
		if err := json.Unmarshal(answer, &record); err != nil {
			t.Fatalf("%s answered %q: %v", w.cmd.Path, answer, err)
		}
		return record
	case <-limit.C:
		t.Fatalf("%s is stuck after %v:\n%s", w.cmd.Path, runLimit, w.stopped())
	}
	return nil
}

// stopped ends the process and returns what it has logged.
func (w *worker) stopped() string {
	_ = w.cmd.Process.Kill()
	_ = w.cmd.Wait()
	return w.log.String()
}
