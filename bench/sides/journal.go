package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// event is a line of the journal of a play, which the runner and all workers write.
type event struct {
	At   time.Time
	What eventKind
	Key  string `json:",omitempty"` // of the job
	ID   string `json:",omitempty"` // what the system calls the job
	Run  string `json:",omitempty"` // of an attempt, unique
	Step int    `json:",omitempty"`
	PID  int    `json:",omitempty"`
	Text string `json:",omitempty"`
}

type eventKind string

const (
	started    eventKind = "started"             // a start was acknowledged
	unanswered eventKind = "unanswered"          // a try of a start failed; Text is the error
	cancelSent eventKind = "cancel sent"         // a cancel is sent
	cancelDone eventKind = "cancel acknowledged" // it was acknowledged
	hit        eventKind = "hit"                 // Text is the fault, PID the process
	resumed    eventKind = "resumed"             // a stopped process runs again

	began    eventKind = "began"    // an attempt
	effected eventKind = "effected" // an effect was written; Step is Steps+1 for that of the end
	saved    eventKind = "saved"    // a checkpoint
	refused  eventKind = "refused"  // a checkpoint, or an end; Text is the error
	heard    eventKind = "heard"    // the attempt's context has ended; Text is the cause
	returned eventKind = "returned" // the handler; Text is the error, if any

	looked eventKind = "looked" // the last state of a job: Text is one of the states, Run the attempt whose result it has
)

// States of a job at the end.
const (
	unknown   = "unknown" // the system does not know it
	pending   = "pending" // it has not ended
	succeeded = "succeeded"
	failed    = "failed"
	canceled  = "canceled"
)

// journal appends events to a file. What was written survives the process.
type journal struct{ file *os.File }

func openJournal(path string) (*journal, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return &journal{file}, nil
}

// write is one system call, so that lines of several processes do not mix. It
// cannot be done without: its failure ends the process.
func (j *journal) write(e event) {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	line, err := json.Marshal(e)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	if err != nil {
		panic(fmt.Sprintf("write journal: %v", err))
	}
}

func (j *journal) close() error { return j.file.Close() }

func readJournal(path string) ([]event, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var all []event
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("read journal: %w", err)
		}
		all = append(all, e)
	}
	return all, lines.Err()
}
