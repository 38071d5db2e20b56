package scenarios

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-lro/lro/internal/leak"
)

var (
	pythonFlag = flag.String("python", "", "interpreter that has google-api-core; without it only package lro is tested")
	onlyFlag   = flag.String("scenario", "", "run the scenario of this name only")
)

func TestMain(m *testing.M) { leak.Main(m) }

// runLimit is what a scenario may take on a busy machine; a few wait for
// seconds.
const runLimit = 2 * time.Minute

func scenarios(t *testing.T) []Scenario {
	t.Helper()
	all, _, err := Load(os.DirFS("data"))
	if err != nil {
		t.Fatal(err)
	}
	if *onlyFlag != "" {
		all = slices.DeleteFunc(all, func(s Scenario) bool { return s.Name != *onlyFlag })
	}
	if len(all) == 0 {
		t.Fatal("there is no such scenario")
	}
	return all
}

// check fails the test for each difference between a record and the scenario.
func check(t *testing.T, s *Scenario, way string, got Record) {
	t.Helper()
	problems, err := s.Compare(way, got)
	if err != nil {
		t.Fatalf("%s: scenario %q: %v", s.File, s.Name, err)
	}
	for _, p := range problems {
		t.Errorf("%s: scenario %q by %s: %s", s.File, s.Name, way, p)
	}
}

// TestLRO runs all scenarios with package lro.
func TestLRO(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios(t) {
		for _, way := range LROWays {
			if !s.RunBy(way) {
				continue
			}
			t.Run(way+"/"+s.Name, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), runLimit)
				defer cancel()
				got, err := RunLRO(ctx, &s, way)
				if err != nil {
					t.Fatal(err)
				}
				check(t, &s, way, got)
			})
		}
	}
}

// pythonWays are the ways of api_core/ways.py.
var pythonWays = []string{
	"python/from_gapic", "python/asyncio", "python/from_gapic_rest", "python/from_http_json", "python/from_grpc", "python/extended",
}

// TestPython runs all scenarios with Google's Python futures, and fails also
// when a listed difference does not happen any more.
func TestPython(t *testing.T) {
	t.Parallel()
	if *pythonFlag == "" {
		t.Skip("without -python nothing is compared with google-api-core; make interop-scenarios does")
	}
	data, err := filepath.Abs("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, way := range pythonWays {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			w := startPython(t, *pythonFlag)
			ran := 0
			for _, s := range scenarios(t) {
				if !s.RunBy(way) {
					continue
				}
				ran++
				t.Run(s.Name, func(t *testing.T) {
					check(t, &s, way, w.run(t, &s, data, way))
				})
			}
			if ran == 0 && *onlyFlag == "" {
				t.Errorf("no scenario is run by %s", way)
			}
		})
	}
}

// TestWays fails for a scenario that names a future which nothing here runs.
func TestWays(t *testing.T) {
	t.Parallel()
	all := slices.Concat(LROWays, pythonWays)
	known := func(list []string) error {
		for _, p := range list {
			if !slices.ContainsFunc(all, func(way string) bool { return matches([]string{p}, way) }) {
				return fmt.Errorf("no way %q", p)
			}
		}
		return nil
	}
	for _, s := range scenarios(t) {
		if err := known(s.By); err != nil {
			t.Errorf("%s: scenario %q: %v", s.File, s.Name, err)
		}
		ways := slices.DeleteFunc(slices.Clone(all), func(way string) bool { return !s.RunBy(way) })
		if !slices.ContainsFunc(ways, func(way string) bool { return matches([]string{"lro/*", "lroext/*"}, way) }) ||
			!slices.ContainsFunc(ways, func(way string) bool { return matches([]string{"python/*"}, way) }) {
			t.Errorf("%s: scenario %q is run by %q, want lro and Python", s.File, s.Name, ways)
		}
		for _, d := range s.Differences {
			if err := known(d.By); err != nil {
				t.Errorf("%s: scenario %q: difference at %q: %v", s.File, s.Name, d.At, err)
			}
			if !slices.ContainsFunc(ways, func(way string) bool { return matches(d.By, way) }) {
				t.Errorf("%s: scenario %q: difference at %q names no client that runs it", s.File, s.Name, d.At)
			}
		}
	}
}
