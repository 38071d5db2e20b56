// Command lro-temporal is the command lro with operations on Temporal, so that
// any number of machines can serve and run them. docs/scaling.md describes it.
package main

import (
	"os"

	"github.com/go-lro/lro/temporal/internal/command"
)

func main() { os.Exit(command.Main()) }
