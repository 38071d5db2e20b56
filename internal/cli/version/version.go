package version

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/flag"
	"github.com/go-lro/lro/internal/cli/render"
	"github.com/go-lro/lro/internal/cli/term"
)

// info is the output for programs.
type info struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"revisionTime,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// New returns the command.
func New(io *term.IO) *cobra.Command {
	var output flag.Output
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  flag.Args(flag.None),
		RunE: func(*cobra.Command, []string) error {
			v := read()
			if output.JSON() {
				return render.WriteJSON(io.Out, v)
			}
			_, err := fmt.Fprintln(io.Out, v)
			return err
		},
	}
	output.AddTo(cmd)
	return cmd
}

// Text is the version in one line, for --version.
func Text() string { return read().String() }

// read takes what the go command put into the program.
func read() info {
	v := info{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if build.Main.Version != "" {
		v.Version = build.Main.Version
	}
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// String is one line for people.
func (v info) String() string {
	text := "lro " + v.Version
	if v.Revision != "" {
		text += fmt.Sprintf(" (%.12s", v.Revision)
		if v.Modified {
			text += ", modified"
		}
		text += ")"
	}
	return fmt.Sprintf("%s, %s, %s", text, v.Go, v.Platform)
}
