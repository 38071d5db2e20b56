package await

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/remote"
	"github.com/go-lro/lro/internal/cli/term"
)

// Options are what the command line says.
type Options struct {
	remote.Flags
	// Verb is the command, for the line that says how to resume.
	Verb string
	// Lines prints a line to Out for every change, instead of a moving bar
	// on Err.
	Lines bool

	any      bool
	timeout  time.Duration
	interval time.Duration
	cancel   bool // --cancel-on-interrupt
	noLearn  bool
}

// AddTo defines the flags on a command. interval is how often operations are
// looked at unless a flag says otherwise.
func (o *Options) AddTo(cmd *cobra.Command, io *term.IO, interval time.Duration) {
	o.Verb = cmd.Name()
	f := cmd.Flags()
	all := false
	f.BoolVar(&o.any, "any", false, "stop when the first operation is done")
	f.BoolVar(&all, "all", false, "wait until all operations are done (the default)")
	f.DurationVar(&o.timeout, "timeout", 0, "stop waiting after `DURATION`, such as 90s or 2h")
	f.DurationVar(&o.interval, "interval", interval, "poll every `DURATION` or more often; if the service has WaitOperation, the end is seen at once in any case")
	f.BoolVar(&o.cancel, "cancel-on-interrupt", false, "on Ctrl-C, cancel the operations and show their outcomes")
	f.BoolVar(&o.noLearn, "no-learn", false, "do not keep between runs how long operations take (LRO_NO_LEARN=1)")
	o.Flags.AddTo(cmd, io)
	cmd.MarkFlagsMutuallyExclusive("any", "all")
}

func (o *Options) check() error {
	switch {
	case o.timeout < 0:
		return exit.AsUsage(fmt.Errorf("--timeout %v is negative", o.timeout))
	case o.interval <= 0:
		return exit.AsUsage(fmt.Errorf("--interval %v is not positive", o.interval))
	}
	return nil
}

// resumeCommand is the command that resumes with names.
func (o *Options) resumeCommand(names []string, stdin bool) string {
	// What came from standard input is repeated as long as it is easily read;
	// the line has to do without it.
	most := 100
	if stdin {
		most = 5
	}
	text := "lro " + o.Verb
	if again := o.Again(); again != "" {
		text += " " + again
	}
	if o.Output.JSON() {
		text += " --output json"
	}
	if o.any {
		text += " --any"
	}
	if o.noLearn {
		text += " --no-learn"
	}
	if len(names) > most {
		return text + fmt.Sprintf(" -  # with the %s names that are left, one a line", term.Count(int64(len(names))))
	}
	for _, name := range names {
		text += " " + term.Quote(name)
	}
	return text
}
