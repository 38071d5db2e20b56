// Command protoc-gen-go-lro is a plugin of protoc and buf. For each method that
// has google.longrunning.operation_info (AIP-151) it generates a client whose
// methods return *lro.Operation[R, M]. docs/from-proto.md describes it.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"

	"google.golang.org/protobuf/compiler/protogen"

	"github.com/go-lro/lro/internal/lrogen"
)

const usage = `protoc-gen-go-lro generates Go clients of methods that have google.longrunning.operation_info.
protoc and buf run it; it takes no arguments but --version and --help. Parameters, beside those of every Go plugin:
`

func main() {
	opts := lrogen.Options{Version: version(), Warn: func(line string) { fmt.Fprintln(os.Stderr, "protoc-gen-go-lro: warning:", line) }}
	var flags flag.FlagSet
	opts.Bind(&flags)
	if len(os.Args) > 1 {
		os.Exit(answer(os.Args[1:], opts, &flags))
	}
	protogen.Options{ParamFunc: lrogen.Set(&flags)}.Run(func(gen *protogen.Plugin) error {
		return lrogen.Generate(gen, opts)
	})
}

// answer is for people, who give arguments. It returns the exit code.
func answer(args []string, opts lrogen.Options, flags *flag.FlagSet) int {
	switch {
	case len(args) == 1 && args[0] == "--version":
		fmt.Println("protoc-gen-go-lro", opts.Version)
		return 0
	case len(args) == 1 && (args[0] == "--help" || args[0] == "-h"):
		fmt.Print(usage)
		flags.SetOutput(os.Stdout)
		flags.PrintDefaults()
		return 0
	}
	fmt.Fprintf(os.Stderr, "protoc-gen-go-lro: unknown arguments %q\n%s", args, usage)
	return 1
}

// version is what the go command put into the program.
func version() string {
	build, ok := debug.ReadBuildInfo()
	if !ok || build.Main.Version == "" {
		return "(devel)"
	}
	return build.Main.Version
}
