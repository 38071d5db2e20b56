// Package console is a web page that shows long-running operations: which run,
// their progress, which failed and why. It can cancel and delete them. It is an
// http.Handler for your mux:
//
//	source, err := local.New(srv, local.Config{}) // a *server.Server of this program
//	...
//	handler, err := console.New(source, console.Config{
//		Authorize: func(r *http.Request, a console.Access) error { ... },
//	})
//	...
//	mux.Handle("/operations/", http.StripPrefix("/operations", handler))
//	httpServer.RegisterOnShutdown(handler.Close)
//
// The pattern ends in a slash. All links are relative, so the handler need not
// know where it is mounted.
//
// # Sources
//
// A [Source] provides the operations. Package console/local is the source for a
// server in the same program, console/remote for any service of
// google.longrunning.Operations, by its stub. Capabilities of only some sources
// are optional: [Watcher], [Counter], [Historian], [StateFilterer]. Without
// one, the console uses a substitute, such as polling every two seconds, and
// says so on the page.
//
// # Safety
//
// Everyone who reaches the handler sees every operation of the source and may cancel
// and delete them, unless [Config].Authorize, [Config].ReadOnly or the mux in
// front says otherwise. Requests that change something are POST and must come
// from the console's own pages (http.CrossOriginProtection). Pages load nothing
// from elsewhere and run no script but the console's own, which their
// Content-Security-Policy enforces. Everything in operations is shown as text.
//
// # Live pages
//
// Pages follow their operations by server-sent events while their tab is
// visible. Such a stream is a request that does not end by itself, so
// [http.Server.Shutdown] would wait for it; [Handler.Close] ends them all.
// Streams set their own write deadlines. Without JavaScript everything can be
// read, but pages are not updated.
package console
