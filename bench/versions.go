package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-lro/lro/bench/host"
	"github.com/go-lro/lro/bench/report"
)

// machine describes where this runs. What cannot be learnt stays empty.
func (b *bench) machine(ctx context.Context) report.Machine {
	m := host.Machine()
	m.Python = strings.TrimPrefix(host.Output(ctx, "", b.programs.interop("python", "bin", "python"), "--version"), "Python ")
	m.Node = strings.TrimPrefix(host.Output(ctx, "", b.programs.interop("node", "bin", "node"), "--version"), "v")
	return m
}

// peers returns the versions of the libraries that are compared.
func (b *bench) peers(ctx context.Context) map[string]string {
	versions := map[string]string{
		"cloud.google.com/go/longrunning": host.Output(ctx, filepath.Join(b.programs.root, "bench"),
			"go", "list", "-m", "-f={{.Version}}", "cloud.google.com/go/longrunning"),
		"grpc-go": host.Output(ctx, filepath.Join(b.programs.root, "bench"), "go", "list", "-m", "-f={{.Version}}", "google.golang.org/grpc"),
	}
	for _, name := range []string{"google-api-core", "grpcio"} {
		versions[name] = host.Output(ctx, "", b.programs.interop("python", "bin", "python"), "-c",
			"import importlib.metadata as m; print(m.version('"+name+"'))")
	}
	for _, name := range []string{"google-gax", "@grpc/grpc-js"} {
		var described struct{ Version string }
		data, err := os.ReadFile(b.programs.interop("node", "node_modules", name, "package.json"))
		if err == nil && json.Unmarshal(data, &described) == nil {
			versions[name] = described.Version
		}
	}
	for name, version := range versions {
		if version == "" {
			versions[name] = "not installed"
		}
	}
	return versions
}
