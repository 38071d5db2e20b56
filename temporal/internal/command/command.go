package command

import "github.com/go-lro/lro/internal/cli"

// Main runs the command as a process and returns its exit status.
func Main() int {
	return cli.Edition{Name: "lro-temporal", Store: &store{}}.Main()
}
