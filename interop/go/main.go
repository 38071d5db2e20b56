// Command go is the Go column of the matrix: cloud.google.com/go/longrunning
// and its generated client, over gRPC and HTTP/JSON.
//
//	go CLIENT ADDR LIBRARY-ADDR PARENT SCENARIO...
//
// prints a line of JSON for each scenario.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	autogen "cloud.google.com/go/longrunning/autogen"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/lropb"
)

// session is what a scenario works with.
type session struct {
	client  *autogen.OperationsClient
	starter starter
	library librarypb.LibraryClient
	parent  string
	listed  string // the parent whose operations the scenario list starts and lists
}

type scenario func(context.Context, *session) error

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "go:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) < 4 {
		return errors.New("want CLIENT ADDR LIBRARY-ADDR PARENT SCENARIO")
	}
	name, addr, libraryAddr, parent := args[0], args[1], args[2], args[3]
	kind, transport, _ := strings.Cut(name, "-")

	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	libraryConn, err := grpc.NewClient(libraryAddr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer libraryConn.Close()

	s := &session{library: librarypb.NewLibraryClient(libraryConn), parent: parent, listed: "projects/listed"}
	switch transport {
	case "grpc":
		s.client, err = autogen.NewOperationsClient(ctx, option.WithGRPCConn(conn))
		s.starter = lropb.NewStarterClient(conn)
	case "rest":
		s.client, err = autogen.NewOperationsRESTClient(ctx, option.WithEndpoint("http://"+addr), option.WithHTTPClient(http.DefaultClient))
		s.starter = restStarter("http://" + addr)
		// This client lists at /v1/NAME, so the name must have the collection.
		s.listed += "/operations"
	default:
		return fmt.Errorf("unknown client %q", name)
	}
	if err != nil {
		return err
	}
	defer s.client.Close()

	scenarios := map[string]map[string]scenario{"future": futureScenarios(libraryConn), "client": clientScenarios}[kind]
	fmt.Printf("{\"versions\": %q}\n", versions())
	for _, name := range args[4:] {
		do, ok := scenarios[name]
		if !ok {
			return fmt.Errorf("unknown scenario %q", name)
		}
		line := map[string]any{"scenario": name, "ok": true}
		if err := do(ctx, s); err != nil {
			line = map[string]any{"scenario": name, "error": err.Error()}
		}
		if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
			return err
		}
	}
	return nil
}

// versions names what was built in.
func versions() string {
	said := []string{runtime.Version()}
	info, _ := debug.ReadBuildInfo() // there is one in every binary that is built with modules
	for _, module := range info.Deps {
		if slices.Contains([]string{"cloud.google.com/go/longrunning", "github.com/googleapis/gax-go/v2", "google.golang.org/grpc"}, module.Path) {
			said = append(said, module.Path+" "+module.Version)
		}
	}
	return strings.Join(said, ", ")
}
