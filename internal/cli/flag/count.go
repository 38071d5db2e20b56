package flag

import (
	"fmt"

	"github.com/spf13/cobra"
)

// None allows no arguments.
func None(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments, but got %q", cmd.Name(), args[0])
	}
	return nil
}

// Needs allows so many arguments, any number when most is negative. what is the
// first of them in words, for who gives none.
func Needs(what string, least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return fmt.Errorf("%s needs %s", cmd.Name(), what)
		case most >= 0 && len(args) > most:
			return fmt.Errorf("%s does not take %q", cmd.Name(), args[most])
		}
		return nil
	}
}

// Names wants at least one operation.
func Names(cmd *cobra.Command, args []string) error {
	return Needs("the name of an operation", 1, -1)(cmd, args)
}
