// Package temporal is the engine on Temporal.
package temporal

import (
	_ "github.com/go-lro/lro/internal/cli"
	_ "github.com/go-lro/lro/server/engine"
	_ "go.temporal.io/sdk/client"
	_ "go.temporal.io/sdk/worker"
)
