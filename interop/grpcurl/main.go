// Command grpcurl is the grpcurl column of the matrix: it runs grpcurl as people
// do in a shell, and reads the JSON that it prints.
//
//	grpcurl CLIENT ADDR LIBRARY-ADDR PARENT SCENARIO...
//
// prints a line of JSON for each scenario.
package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// session is what a scenario works with.
type session struct {
	addr    string
	library string
	parent  string
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "grpcurl:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 4 {
		return errors.New("want CLIENT ADDR LIBRARY-ADDR PARENT SCENARIO")
	}
	s := &session{addr: args[1], library: args[2], parent: args[3]}
	version, err := version()
	if err != nil {
		return err
	}
	fmt.Printf("{\"versions\": %q}\n", version)
	for _, name := range args[4:] {
		do, ok := scenarios[name]
		if !ok {
			return fmt.Errorf("unknown scenario %q", name)
		}
		line := map[string]any{"scenario": name, "ok": true}
		if err := do(s); err != nil {
			line = map[string]any{"scenario": name, "error": err.Error()}
		}
		if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
			return err
		}
	}
	return nil
}

// version returns the version of grpcurl.
func version() (string, error) {
	path, err := exec.LookPath("grpcurl")
	if err != nil {
		return "", err
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return "", err
	}
	return info.Main.Path + " " + info.Main.Version, nil
}

// operation is one as grpcurl prints it.
type operation struct {
	Name     string         `json:"name"`
	Done     bool           `json:"done"`
	Metadata map[string]any `json:"metadata"`
	Response map[string]any `json:"response"`
	Error    *rpcError      `json:"error"`
}

// rpcError is google.rpc.Status. It is also how a call fails.
type rpcError struct {
	Code    int              `json:"code"`
	Message string           `json:"message"`
	Details []map[string]any `json:"details"`
}

// Error implements error.
func (e *rpcError) Error() string {
	return fmt.Sprintf("code %d: %s %v", e.Code, e.Message, e.Details)
}

// call calls a method of the server, which tells its types by reflection, and
// reads the answer into out.
func (s *session) call(method string, request, out any) error {
	return curl([]string{s.addr, method}, request, out)
}

// callLibrary calls a method of examples/library, which has no reflection.
func (s *session) callLibrary(method string, request, out any) error {
	return curl([]string{
		"-import-path", "proto", "-import-path", "proto/third_party",
		"-proto", "example/library/v1/library.proto", "-proto", "google/longrunning/operations.proto",
		s.library, method,
	}, request, out)
}

func curl(args []string, request, out any) error {
	data, err := json.Marshal(request)
	if err != nil {
		return err
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("grpcurl", append([]string{"-plaintext", "-format-error", "-d", string(data)}, args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		failed := new(rpcError)
		if json.Unmarshal(stderr.Bytes(), failed) == nil && failed.Code != 0 {
			return failed
		}
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return json.Unmarshal(stdout.Bytes(), out)
}
