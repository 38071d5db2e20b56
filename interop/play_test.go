package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-lro/lro/internal/leak"
)

// playerEnv makes the test binary a player.
const playerEnv = "INTEROP_TEST_PLAYER"

func TestMain(m *testing.M) {
	if os.Getenv(playerEnv) != "" {
		playScript(os.Args[1:])
		return
	}
	leak.Main(m)
}

// playScript plays scenarios as their names say.
func playScript(scenarios []string) {
	fmt.Println(`{"versions": "test 1.0"}`)
	for _, name := range scenarios {
		switch name {
		case "dies":
			fmt.Fprintln(os.Stderr, "one line\nthe last line")
			os.Exit(7)
		case "hangs":
			time.Sleep(time.Hour) // sleep: this is the case
		case "babbles":
			fmt.Println("hello")
		case "errs":
			fmt.Printf("{\"scenario\": %q, \"error\": \"not so\"}\n", name)
		case "mixes":
			fmt.Println(`{"scenario": "good", "ok": true}`)
		case "shrugs":
			fmt.Printf("{\"scenario\": %q}\n", name)
		default:
			fmt.Printf("{\"scenario\": %q, \"ok\": true}\n", name)
		}
	}
}

func TestPlayAll(t *testing.T) {
	t.Parallel()
	player := func(ctx context.Context, scenarios []string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, os.Args[0], scenarios...)
		cmd.Env = append(os.Environ(), playerEnv+"=1")
		return cmd
	}
	scenarios := []string{"good", "dies", "errs", "babbles", "mixes", "shrugs", "better"}
	got := make(map[string]outcome)
	// Nothing hangs here: the limit is for a machine that stands still.
	versions := playAll(t.Context(), player, scenarios, 5*time.Minute, got)
	if versions != "test 1.0" {
		t.Errorf("playAll(...) = %q, want the player's versions", versions)
	}
	for name, want := range map[string]string{
		"good":    "",
		"dies":    "the player ended: exit status 7: the last line",
		"errs":    "not so",
		"babbles": `the player said "hello"`,
		"mixes":   `want scenario "mixes"`,
		"shrugs":  "want ok or an error",
		"better":  "",
	} {
		if o := got[name]; o.OK != (want == "") || !strings.Contains(o.Error, want) {
			t.Errorf("playAll(...) of %q: %+v, want an error with %q", name, o, want)
		}
	}
}

func TestPlayAllHung(t *testing.T) {
	t.Parallel()
	player := func(ctx context.Context, scenarios []string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, os.Args[0], scenarios...)
		cmd.Env = append(os.Environ(), playerEnv+"=1")
		return cmd
	}
	got := make(map[string]outcome)
	playAll(t.Context(), player, []string{"hangs"}, 100*time.Millisecond, got)
	want := map[string]outcome{"hangs": {Error: "hung for 100ms"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("playAll(hangs) (-want +got):\n%s", diff)
	}
}
