package flag

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// Where cobra notes the groups that a flag is in, each as the names of its
// flags with spaces between.
const (
	exclusive = "cobra_annotation_mutually_exclusive"
	together  = "cobra_annotation_required_if_others_set"
)

// checkGroups says which flags exclude each other, or which one is missing.
func checkGroups(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		for _, group := range f.Annotations[exclusive] {
			given := split(flags, group, true)
			if err == nil && len(given) > 1 {
				err = fmt.Errorf("%s cannot be used together", strings.Join(given, " and "))
			}
		}
		for _, group := range f.Annotations[together] {
			missing := split(flags, group, false)
			if err == nil && len(missing) > 0 {
				err = fmt.Errorf("--%s needs %s", f.Name, strings.Join(missing, " and "))
			}
		}
	})
	return err
}

// split returns those flags of a group that were given, or those that were not.
func split(flags *pflag.FlagSet, group string, given bool) (names []string) {
	for name := range strings.FieldsSeq(group) {
		if flags.Changed(name) == given {
			names = append(names, "--"+name)
		}
	}
	return names
}
