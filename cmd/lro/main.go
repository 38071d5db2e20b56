// Command lro looks at, waits for and serves long-running operations.
// docs/command.md describes it.
package main

import (
	"os"

	"github.com/go-lro/lro/internal/cli"
)

func main() { os.Exit(cli.Main()) }
