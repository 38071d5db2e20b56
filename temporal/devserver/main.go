// Command devserver runs a Temporal server for tests.
package main

import (
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/temporal"
)

func main() { _, _ = temporal.NewServer() }
