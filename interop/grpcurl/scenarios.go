package main

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"time"
)

// Codes of google.rpc.
const (
	codeCancelled         = 1
	codeNotFound          = 5
	codeResourceExhausted = 8
)

// JSON as one types it.
type object = map[string]any

var quota = object{
	"code":    codeResourceExhausted,
	"message": "no quota left",
	"details": []any{object{
		"@type":    "type.googleapis.com/google.rpc.ErrorInfo",
		"reason":   "QUOTA",
		"domain":   "lro.example",
		"metadata": object{"limit": "7"},
	}},
}

var scenarios = map[string]func(*session) error{
	"start": func(s *session) error {
		op, err := s.simulate(s.parent, object{"duration": "60s"})
		if err != nil {
			return err
		}
		if !strings.HasPrefix(op.Name, "operations/") || op.Done || op.Metadata["verb"] != "simulate" {
			return fmt.Errorf("operation is %+v", op)
		}
		return nil
	},
	"success": func(s *session) error {
		op, err := s.finish(object{"duration": "1s", "echo": "hello"})
		if err != nil {
			return err
		}
		return checkEcho(op)
	},
	"metadata": func(s *session) error {
		op, err := s.simulate(s.parent, object{"duration": "4s", "steps": 40})
		working := false
		for ; err == nil && !op.Done; op, err = s.get(op.Name) {
			percent, _ := op.Metadata["progressPercent"].(float64)
			working = working || op.Metadata["state"] == "RUNNING" && 0 < percent && percent < 100
		}
		if err != nil {
			return err
		}
		if !working || op.Metadata["state"] != "SUCCEEDED" || op.Metadata["progressPercent"] != 100.0 {
			return fmt.Errorf("saw metadata on the way: %t; at the end: %v", working, op.Metadata)
		}
		return nil
	},
	"failure": func(s *session) error {
		op, err := s.finish(object{"duration": "1s", "error": quota})
		if err != nil {
			return err
		}
		want := quota["details"].([]any)[0]
		if op.Error == nil || op.Error.Code != codeResourceExhausted || !reflect.DeepEqual(op.Error.Details, []map[string]any{want.(object)}) {
			return fmt.Errorf("error is %v, want %v", op.Error, quota)
		}
		return nil
	},
	"cancel": func(s *session) error {
		op, err := s.simulate(s.parent, object{"duration": "3600s"})
		if err != nil {
			return err
		}
		if err := s.call("google.longrunning.Operations/CancelOperation", object{"name": op.Name}, &object{}); err != nil {
			return err
		}
		if op, err = s.poll(op.Name); err != nil {
			return err
		}
		if op.Error == nil || op.Error.Code != codeCancelled {
			return fmt.Errorf("error is %v, want CANCELLED", op.Error)
		}
		return nil
	},
	"delete": func(s *session) error {
		op, err := s.finish(object{})
		if err != nil {
			return err
		}
		if err := s.call("google.longrunning.Operations/DeleteOperation", object{"name": op.Name}, &object{}); err != nil {
			return err
		}
		return s.isUnknown(op.Name)
	},
	"list": list,
	"wait": wait,
	"unknown": func(s *session) error {
		return s.isUnknown("operations/none")
	},
	"library": func(s *session) error {
		op := new(operation)
		if err := s.callLibrary("example.library.v1.Library/ExportBooks", object{"parent": "publishers/acme"}, op); err != nil {
			return err
		}
		for !op.Done {
			request := object{"name": op.Name, "timeout": "20s"}
			if err := s.callLibrary("google.longrunning.Operations/WaitOperation", request, op); err != nil {
				return err
			}
		}
		if op.Response["books"] != "500" || op.Metadata["booksTotal"] != "500" {
			return fmt.Errorf("operation is %+v, want 500 books", op)
		}
		return nil
	},
}

// list lists 5 operations that end and 2 that do not. Each start is a process,
// so they are fewer than in the other columns.
func list(s *session) error {
	done, running := make(map[string]bool), make(map[string]bool)
	for i := range 7 {
		into, takes := done, "0s"
		if i < 2 {
			into, takes = running, "3600s"
		}
		op, err := s.simulate("projects/listed", object{"duration": takes})
		if err != nil {
			return err
		}
		into[op.Name] = true
	}
	for name := range done {
		if _, err := s.poll(name); err != nil {
			return err
		}
	}
	got, pages, err := s.listAll("done = true")
	if err != nil {
		return err
	}
	if !maps.Equal(got, done) || pages != 3 {
		return fmt.Errorf("listed %v in %d pages of 2, want %v in 3", got, pages, done)
	}
	got, _, err = s.listAll("done = false")
	if err != nil {
		return err
	}
	if !maps.Equal(got, running) {
		return fmt.Errorf("listed %v, want %v", got, running)
	}
	return nil
}

func (s *session) listAll(filter string) (names map[string]bool, pages int, err error) {
	names = make(map[string]bool)
	request := object{"name": "projects/listed", "filter": filter, "pageSize": 2}
	for {
		var page struct {
			Operations    []operation `json:"operations"`
			NextPageToken string      `json:"nextPageToken"`
		}
		if err := s.call("google.longrunning.Operations/ListOperations", request, &page); err != nil {
			return nil, 0, err
		}
		pages++
		for _, op := range page.Operations {
			names[op.Name] = true
		}
		if page.NextPageToken == "" {
			return names, pages, nil
		}
		request["pageToken"] = page.NextPageToken
	}
}

// wait waits for an operation that ends, and for one that does not.
func wait(s *session) error {
	const method = "google.longrunning.Operations/WaitOperation"
	started, err := s.simulate(s.parent, object{"duration": "1s", "echo": "hello"})
	if err != nil {
		return err
	}
	op := new(operation)
	if err := s.call(method, object{"name": started.Name, "timeout": "20s"}, op); err != nil {
		return err
	}
	if err := checkEcho(op); err != nil {
		return err
	}
	if started, err = s.simulate(s.parent, object{"duration": "3600s"}); err != nil {
		return err
	}
	op = new(operation)
	if err := s.call(method, object{"name": started.Name, "timeout": "0.2s"}, op); err != nil {
		return err
	}
	if op.Done {
		return errors.New("is done after a wait of 200 ms, want running")
	}
	return nil
}

func checkEcho(op *operation) error {
	if !op.Done || op.Response["@type"] != "type.googleapis.com/lro.v1.SimulateResponse" || op.Response["echo"] != "hello" {
		return fmt.Errorf("operation is %+v, want one that ended with hello", op)
	}
	return nil
}

func (s *session) simulate(parent string, request object) (*operation, error) {
	request["@type"] = "type.googleapis.com/lro.v1.SimulateRequest"
	op := new(operation)
	return op, s.call("lro.v1.Starter/StartOperation", object{"parent": parent, "kind": "simulate", "request": request}, op)
}

func (s *session) get(name string) (*operation, error) {
	op := new(operation)
	return op, s.call("google.longrunning.Operations/GetOperation", object{"name": name}, op)
}

func (s *session) poll(name string) (*operation, error) {
	for {
		op, err := s.get(name)
		if err != nil || op.Done {
			return op, err
		}
		time.Sleep(100 * time.Millisecond) // sleep: this is how one polls in a shell
	}
}

func (s *session) finish(request object) (*operation, error) {
	op, err := s.simulate(s.parent, request)
	if err != nil {
		return nil, err
	}
	return s.poll(op.Name)
}

func (s *session) isUnknown(name string) error {
	_, err := s.get(name)
	if failed, ok := errors.AsType[*rpcError](err); !ok || failed.Code != codeNotFound {
		return fmt.Errorf("get %q: %v, want NOT_FOUND", name, err)
	}
	return nil
}
