package docs_test

import (
	"errors"
	"net/http"

	"github.com/go-lro/lro/console"
	"github.com/go-lro/lro/console/local"
	"github.com/go-lro/lro/server"
)

// The code of console.md.

func mountConsole(mux *http.ServeMux, httpServer *http.Server, srv *server.Server) error {
	source, err := local.New(srv, local.Config{}) // srv is your *server.Server
	if err != nil {
		return err
	}
	handler, err := console.New(source, console.Config{
		Title:     "Library",
		Authorize: func(r *http.Request, a console.Access) error { return mayOperate(r, a.Action, a.Name) },
		Endpoint:  console.Endpoint{Address: "library.example:443"}, // for the commands on the pages
	})
	if err != nil {
		return err
	}
	mux.Handle("/operations/", http.StripPrefix("/operations", handler)) // the slash at the end is needed
	httpServer.RegisterOnShutdown(handler.Close)                         // or Shutdown waits for live pages
	return nil
}

func mayOperate(*http.Request, console.Action, string) error { return errors.New("not allowed") }

var _ = mountConsole
