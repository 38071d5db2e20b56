// Package pgserver runs a PostgreSQL server of this machine's installation, on a
// directory and a free port of its own. Tests use package pgtest, which hands
// these out.
//
//	server, err := pgserver.Start(ctx, dir, nil)
//	defer server.Stop(ctx)
//	pool, err := pgxpool.New(ctx, server.URL("postgres"))
package pgserver
