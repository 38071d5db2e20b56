package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// outcome is what a player says of a scenario: that the client returned what it
// should have, or what it did instead.
type outcome struct {
	OK    bool   `json:"ok"`
	Error string `json:"error"`
}

// line is a line of a player's output.
type line struct {
	Scenario string `json:"scenario"`
	outcome
	// Versions comes on a line of its own, before the scenarios.
	Versions string `json:"versions"`
}

// report is what came out for a column.
type report struct {
	column   column
	versions string
	missing  string // why it was skipped
	outcomes map[string]outcome
	log      string // the server's last lines
}

// play plays a column against servers of its own.
func (h *house) play(ctx context.Context, c column, limit time.Duration) report {
	r := report{column: c, outcomes: make(map[string]outcome)}
	failAll := func(err error) report {
		for _, name := range c.scenarios {
			r.outcomes[name] = outcome{Error: err.Error()}
		}
		return r
	}
	server, err := h.serve(ctx, c.parent)
	if err != nil {
		return failAll(err)
	}
	defer server.stop()
	library, err := h.serveLibrary(ctx)
	if err != nil {
		return failAll(err)
	}
	defer library.stop()
	player := func(ctx context.Context, scenarios []string) *exec.Cmd {
		cmd := h.player(ctx, c.part)
		cmd.Args = append(cmd.Args, c.client, server.addr, library.addr, c.parent)
		cmd.Args = append(cmd.Args, scenarios...)
		return cmd
	}
	r.versions = playAll(ctx, player, c.scenarios, limit, r.outcomes)
	r.log = server.lastLines()
	return r
}

// playAll has a player play scenarios. One that the player hangs or dies in
// fails; a new player goes on with the next.
func playAll(ctx context.Context, player func(context.Context, []string) *exec.Cmd, scenarios []string, limit time.Duration, into map[string]outcome) (versions string) {
	for len(scenarios) > 0 {
		played, said, err := playSome(ctx, player, scenarios, limit, into)
		versions = said
		if played == len(scenarios) {
			return versions
		}
		into[scenarios[played]] = outcome{Error: err.Error()}
		scenarios = scenarios[played+1:]
	}
	return versions
}

// playSome runs one player until it has played all scenarios or fails to. It
// returns how many it played.
func playSome(ctx context.Context, player func(context.Context, []string) *exec.Cmd, scenarios []string, limit time.Duration, into map[string]outcome) (played int, versions string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	hung := fmt.Errorf("hung for %v", limit)
	timer := time.AfterFunc(limit, func() { cancel(hung) })
	defer timer.Stop()

	cmd := player(ctx, scenarios)
	cmd.WaitDelay = 5 * time.Second // a child of it may hold the pipe
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 0, "", err
	}
	if err := cmd.Start(); err != nil {
		return 0, "", err
	}
	lines := bufio.NewScanner(stdout)
	for played < len(scenarios) && lines.Scan() {
		said, bad := readLine(lines.Bytes(), scenarios[played])
		if bad != nil {
			cancel(bad)
			break
		}
		if said.Versions != "" {
			versions = said.Versions
			continue
		}
		into[said.Scenario] = said.outcome
		played++
		timer.Reset(limit)
	}
	ended := cmd.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return played, versions, cause
	}
	return played, versions, fmt.Errorf("the player ended: %w: %s", errors.Join(ended, lines.Err()), lastLine(stderr.String()))
}

// readLine reads a player's line, about a scenario or with versions.
func readLine(text []byte, scenario string) (line, error) {
	var said line
	if err := json.Unmarshal(text, &said); err != nil {
		return line{}, fmt.Errorf("the player said %q: %w", text, err)
	}
	switch {
	case said.Versions != "" && said.Scenario == "":
	case said.Scenario != scenario:
		return line{}, fmt.Errorf("the player said %q, want scenario %q", text, scenario)
	case said.OK == (said.Error != ""):
		return line{}, fmt.Errorf("the player said %q, want ok or an error", text)
	}
	return said, nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
