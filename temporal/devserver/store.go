package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"time"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives/timestamp"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/schema"
	v12 "go.temporal.io/server/schema/postgresql/v12"
	sqliteschema "go.temporal.io/server/schema/sqlite"
)

// addStore adds the databases, made where there are none, with the namespaces.
func addStore(cfg *config.Config, o *options) error {
	var main, visibility *config.SQL
	var err error
	switch {
	case o.postgres != "":
		main, visibility, err = postgresStore(o.postgres)
	case o.db != "":
		// The write-ahead log costs no durability: synchronous stays FULL.
		main = sqliteStore(o.db, map[string]string{"mode": "rwc", "setup": "true", "journal_mode": "wal", "synchronous": "2"})
		visibility = main
	default:
		main = sqliteStore("devserver", map[string]string{"mode": "memory", "cache": "shared"})
		visibility = main
	}
	if err != nil {
		return err
	}
	cfg.Persistence = config.Persistence{
		DefaultStore:     "main",
		VisibilityStore:  "visibility",
		NumHistoryShards: int32(o.shards),
		DataStores:       map[string]config.DataStore{"main": {SQL: main}, "visibility": {SQL: visibility}},
	}
	return makeNamespaces(main, o.namespaces, o.retention)
}

func sqliteStore(name string, attributes map[string]string) *config.SQL {
	return &config.SQL{PluginName: sqliteplugin.PluginName, DatabaseName: name, ConnectAttributes: attributes}
}

// makeNamespaces makes those that are not there. They are written to the store,
// where the server finds them when it starts: one made through the server is
// known to all its parts only seconds later.
func makeNamespaces(store *config.SQL, names []string, retention time.Duration) error {
	var all []*sqliteschema.NamespaceConfig
	for _, name := range names {
		ns, err := sqliteschema.NewNamespaceConfig(clusterName, name, false, nil)
		if err != nil {
			return fmt.Errorf("make namespace %q: %w", name, err)
		}
		ns.Detail.Config.Retention = timestamp.DurationPtr(retention)
		all = append(all, ns)
	}
	// In spite of its package, this works on every SQL store.
	return sqliteschema.CreateNamespaces(store, all...)
}

// postgresStore makes the two databases of a server.
func postgresStore(text string) (main, visibility *config.SQL, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, nil, fmt.Errorf("--postgres: %w", err)
	}
	name := path.Base(u.Path)
	if u.Host == "" || u.Port() == "" || len(u.Path) < 2 {
		return nil, nil, fmt.Errorf("--postgres %q: must be postgres://user:password@host:port/name", u.Redacted())
	}
	password, _ := u.User.Password()
	attributes := make(map[string]string)
	for key, values := range u.Query() {
		attributes[key] = values[0]
	}
	database := func(name string, conns int) *config.SQL {
		return &config.SQL{
			PluginName: postgresql.PluginNamePGX, ConnectAddr: u.Host, ConnectProtocol: "tcp",
			User: u.User.Username(), Password: password, DatabaseName: name, ConnectAttributes: attributes,
			MaxConns: conns, MaxIdleConns: conns, MaxConnLifetime: time.Hour,
		}
	}
	main, visibility = database(name, 20), database(name+"_visibility", 10)
	if err := makeDatabases(database("postgres", 1), main, visibility); err != nil {
		return nil, nil, err
	}
	return main, visibility, nil
}

// makeDatabases makes what is missing, with the role that connects to admin.
func makeDatabases(admin, main, visibility *config.SQL) error {
	for _, d := range []struct {
		store           *config.SQL
		schema, version string
	}{
		{main, "postgresql/v12/temporal", v12.Version},
		{visibility, "postgresql/v12/visibility", v12.VisibilityVersion},
	} {
		err := withDB(admin, func(db sqlplugin.AdminDB) error { return db.CreateDatabase(d.store.DatabaseName) })
		if err == nil {
			err = withDB(d.store, func(db sqlplugin.AdminDB) error { return makeTables(db, d.schema, d.version) })
		}
		if err != nil {
			return fmt.Errorf("make database %q: %w", d.store.DatabaseName, err)
		}
	}
	return nil
}

func withDB(store *config.SQL, do func(sqlplugin.AdminDB) error) error {
	db, err := sql.NewSQLAdminDB(sqlplugin.DbKindUnknown, store, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return do(db)
}

// makeTables does nothing if it has once come to its end.
func makeTables(db sqlplugin.AdminDB, dir, version string) error {
	tables, err := db.ListTables(db.DbName())
	if err != nil || slices.Contains(tables, "schema_version") {
		return err
	}
	text, err := fs.ReadFile(schema.Assets(), path.Join(dir, "schema.sql"))
	if err != nil {
		return err
	}
	statements, err := persistence.LoadAndSplitQueryFromReaders([]io.Reader{bytes.NewReader(text)})
	if err != nil {
		return err
	}
	for _, s := range statements {
		if err := db.Exec(s); err != nil {
			return fmt.Errorf("execute %q: %w", s, err)
		}
	}
	if err := db.CreateSchemaVersionTables(); err != nil {
		return err
	}
	return db.UpdateSchemaVersion(db.DbName(), version, version)
}
