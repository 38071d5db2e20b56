package flag

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/exit"
)

// Args makes the mistakes that a check of arguments finds usage errors, with a
// line that says how it is done right.
func Args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		return Wrong(cmd, check(cmd, args))
	}
}

// Wrong makes err a usage error of cmd. Nil stays nil.
func Wrong(cmd *cobra.Command, err error) error {
	return exit.Hint(exit.AsUsage(err), fmt.Sprintf("usage: %s; see %s --help", cmd.UseLine(), cmd.CommandPath()))
}

// Output is the value of --output. The zero value is text.
type Output struct{ json bool }

// AddTo defines --output on a command, also as -o.
func (o *Output) AddTo(cmd *cobra.Command) {
	cmd.Flags().VarP(o, "output", "o", "`FORMAT`: text for people, json for programs (docs/cli_json.md)")
	formats := cobra.FixedCompletions([]cobra.Completion{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc("output", formats); err != nil {
		panic(fmt.Sprintf("flag: %v", err)) // it was defined above
	}
}

// JSON reports whether the output is for programs.
func (o *Output) JSON() bool { return o.json }

// String implements [pflag.Value].
func (o *Output) String() string {
	if o.json {
		return "json"
	}
	return "text"
}

// Set implements [pflag.Value].
func (o *Output) Set(s string) error {
	switch s {
	case "text", "json":
		o.json = s == "json"
		return nil
	}
	return fmt.Errorf("want text or json")
}

// Type implements [pflag.Value].
func (o *Output) Type() string { return "format" }
