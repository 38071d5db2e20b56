package flag

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/go-lro/lro/internal/cli/exit"
)

// Args makes the mistakes that a check of arguments finds usage errors, with a
// line that says how it is done right. So it does with flags that do not go
// together, before cobra finds them in words of its own.
func Args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := checkGroups(cmd.Flags()); err != nil {
			return Wrong(cmd, err)
		}
		return Wrong(cmd, check(cmd, args))
	}
}

// Wrong makes err a usage error of cmd. Nil stays nil.
func Wrong(cmd *cobra.Command, err error) error {
	if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		err = fmt.Errorf("--%s %q: %w", wrong.GetFlag().Name, wrong.GetValue(), wanted(wrong))
	}
	return exit.Hint(exit.AsUsage(err), fmt.Sprintf("usage: %s; see %s --help", cmd.UseLine(), cmd.CommandPath()))
}

// wanted says what a flag takes, in words of people where the parser has its own.
func wanted(wrong *pflag.InvalidValueError) error {
	switch wrong.GetFlag().Value.Type() {
	case "duration":
		return errors.New("want a number and its unit, such as 500ms, 90s, 5m or 1h30m")
	case "int", "int32", "int64":
		return errors.New("want a whole number")
	case "bool":
		return errors.New("want true or false")
	}
	return errors.Unwrap(wrong)
}

// Verb checks the arguments of a command that has only verbs: it gets one when
// none of them has that name.
func Verb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := exit.AsUsage(fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath()))
	cmd.SuggestionsMinimumDistance = 2
	var near []string
	for _, verb := range cmd.SuggestionsFor(args[0]) {
		near = append(near, cmd.CommandPath()+" "+verb)
	}
	if len(near) == 0 {
		return Wrong(cmd, err)
	}
	return exit.Hint(err, "did you mean "+strings.Join(near, " or ")+"?")
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
