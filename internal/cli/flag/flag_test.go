package flag

import (
	"testing"

	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/exit"
)

// TestWords: what cobra and pflag find wrong is told in words of people.
func TestWords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args []string
		want string // empty for a command line that is right
		hint string
	}{
		{args: []string{}},
		{args: []string{"--for", "90s", "--red"}},
		{args: []string{"--cert", "c", "--key", "k"}},
		{args: []string{"--for", "90"}, want: `--for "90": want a number and its unit, such as 500ms, 90s, 5m or 1h30m`},
		{args: []string{"--count", "many"}, want: `--count "many": want a whole number`},
		{args: []string{"--red=yes"}, want: `--red "yes": want true or false`},
		{args: []string{"--output", "xml"}, want: `--output "xml": want text or json`},
		{args: []string{"--red", "--green", "--blue"}, want: "--red and --green and --blue cannot be used together"},
		{args: []string{"--blue", "--red"}, want: "--red and --blue cannot be used together"},
		{args: []string{"--key", "k"}, want: "--key needs --cert"},
		{args: []string{"--for"}, want: "flag needs an argument: --for"},
		{args: []string{"more"}, want: `x takes no arguments, but got "more"`},
	}
	for _, tt := range tests {
		cmd := &cobra.Command{
			Use: "x", SilenceErrors: true, SilenceUsage: true,
			Args: Args(None),
			RunE: func(*cobra.Command, []string) error { return nil },
		}
		cmd.SetFlagErrorFunc(Wrong)
		f := cmd.Flags()
		f.Duration("for", 0, "")
		f.Int32("count", 0, "")
		for _, name := range []string{"red", "green", "blue"} {
			f.Bool(name, false, "")
		}
		f.String("cert", "", "")
		f.String("key", "", "")
		new(Output).AddTo(cmd)
		cmd.MarkFlagsMutuallyExclusive("red", "green", "blue")
		cmd.MarkFlagsRequiredTogether("cert", "key")
		cmd.SetArgs(tt.args)
		err := cmd.Execute()
		if tt.want == "" {
			if err != nil {
				t.Errorf("x %q = %v", tt.args, err)
			}
			continue
		}
		if err == nil || err.Error() != tt.want || exit.Of(err) != exit.Usage || exit.HintOf(err) != "usage: x [flags]; see x --help" {
			t.Errorf("x %q = %v with status %d, hint %q, want %q with status 2", tt.args, err, exit.Of(err), exit.HintOf(err), tt.want)
		}
	}
}

func TestNeeds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		check cobra.PositionalArgs
		args  []string
		want  string
	}{
		{Names, nil, "x needs the name of an operation"},
		{Names, []string{"a", "b", "c"}, ""},
		{Needs("a kind", 1, 2), nil, "x needs a kind"},
		{Needs("a kind", 1, 2), []string{"a", "b"}, ""},
		{Needs("a kind", 1, 2), []string{"a", "b", "c", "d"}, `x does not take "c"`},
		{None, nil, ""},
	}
	for _, tt := range tests {
		got := ""
		if err := tt.check(&cobra.Command{Use: "x"}, tt.args); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("x %q = %q, want %q", tt.args, got, tt.want)
		}
	}
}

func TestVerb(t *testing.T) {
	t.Parallel()
	tests := []struct{ arg, want string }{
		{"lsit", "did you mean x list or x wait?"},
		{"cancle", "did you mean x cancel?"},
		{"wat", "did you mean x wait or x watch?"},
		{"nonsense", "usage: x; see x --help"},
	}
	for _, tt := range tests {
		cmd := &cobra.Command{Use: "x", SilenceErrors: true, SilenceUsage: true, Args: Verb}
		for _, name := range []string{"cancel", "list", "wait", "watch"} {
			cmd.AddCommand(&cobra.Command{Use: name, RunE: func(*cobra.Command, []string) error { return nil }})
		}
		err := Verb(cmd, []string{tt.arg})
		if exit.Of(err) != exit.Usage || exit.HintOf(err) != tt.want {
			t.Errorf("x %s = %v with status %d, hint %q, want %q with status 2", tt.arg, err, exit.Of(err), exit.HintOf(err), tt.want)
		}
	}
	if err := Verb(&cobra.Command{}, nil); err != nil {
		t.Errorf("x = %v", err)
	}
}
