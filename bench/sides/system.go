package main

import (
	"context"
	"time"
)

// setting is how a system is configured. Zeros are its defaults.
type setting struct {
	// Lease is lro's on PostgreSQL.
	Lease time.Duration `json:",omitempty"`
	// JobTimeout and RescueAfter are River's.
	JobTimeout  time.Duration `json:",omitempty"`
	RescueAfter time.Duration `json:",omitempty"`
	// Throttle is Temporal's MaxHeartbeatThrottleInterval.
	Throttle time.Duration `json:",omitempty"`
}

// contender is a system with its setting.
type contender struct {
	Name    string
	Setting setting
	// Note is what of its configuration matters.
	Note string
	// workers run jobs at the same time, each a process.
	workers int
	// past is how long a process is stopped so that another must have taken over
	// its jobs, where that happens within a minute.
	past time.Duration
	// open starts the store of one play in dir, an empty folder.
	open func(ctx context.Context, dir string, s setting) (system, error)
	// work runs jobs, in a process of its own, until ctx ends.
	work func(ctx context.Context, w *worker, address string, ready func()) error
	// needs is what must be installed.
	needs need
	// noTx has no end in a transaction of the handler's. blind does not report to
	// the handler whether a checkpoint was accepted.
	noTx, blind bool
}

type need string

const (
	nothing    need = ""
	postgreSQL need = "PostgreSQL"
	temporal   need = "Temporal"
)

// system is what a play has of a contender: its store, and the starter, whose
// connections can be cut.
type system interface {
	// address is what workers connect to.
	address() string
	// start starts a job, or returns the ID of the one that has its key.
	start(ctx context.Context, j job) (id string, err error)
	cancel(ctx context.Context, key, id string) error
	// look returns the state of a job, and the run whose result it has.
	look(ctx context.Context, key, id string) (state, run string, err error)
	// cut resets the starter's connections. New ones can be made.
	cut()
	// restart crashes the store, and has it serve again.
	restart(ctx context.Context) error
	// effects returns the effects that were written in the transaction of an end.
	effects(ctx context.Context) ([]event, error)
	version(ctx context.Context) string
	close() error
}

// storeDown is how long a store is down when it restarts.
const storeDown = time.Second

// rescueEvery is how often River looks for jobs to rescue: its
// JobRescuerIntervalDefault, which no option sets.
const rescueEvery = 30 * time.Second

func contenders() []contender {
	const riverShortest = attemptLimit + time.Second
	return []contender{
		{
			Name: "lro, PostgreSQL", workers: 2, past: 16 * time.Second, open: openOurs, work: workOurs, needs: postgreSQL,
			Note: "lease of 10 s, its default; `AttemptTimeout` 10 s",
		},
		{
			Name: "lro, PostgreSQL, shortest lease", Setting: setting{Lease: time.Second}, workers: 2, past: 5 * time.Second, open: openOurs, work: workOurs,
			needs: postgreSQL, Note: "lease of 1 s; `AttemptTimeout` 10 s",
		},
		{
			Name: "lro, SQLite", workers: 1, past: 5 * time.Second, open: openFile, work: workFile, noTx: true,
			Note: "one process, started again 500 ms after a kill; `AttemptTimeout` 10 s",
		},
		{
			Name: "River", workers: 2, past: 16 * time.Second, open: openRiver, work: workRiver, needs: postgreSQL,
			Note: "its defaults: `JobTimeout` 1 min, `RescueStuckJobsAfter` 1 h",
		},
		{
			Name: "River, shortest rescue", Setting: setting{JobTimeout: attemptLimit, RescueAfter: riverShortest}, workers: 2,
			past: riverShortest + rescueEvery + 9*time.Second, open: openRiver, work: workRiver, needs: postgreSQL,
			Note: "`JobTimeout` 10 s, `RescueStuckJobsAfter` 11 s: the shortest that let every job end",
		},
		{
			Name: "Temporal", workers: 2, past: 16 * time.Second, open: openTemporal, work: workTemporal, needs: temporal, noTx: true, blind: true,
			Note: "`HeartbeatTimeout` and `StartToCloseTimeout` 10 s, heartbeats throttled by default: to 8 s",
		},
		{
			Name: "Temporal, heartbeats at once", Setting: setting{Throttle: 100 * time.Millisecond}, workers: 2, past: 16 * time.Second,
			open: openTemporal, work: workTemporal, needs: temporal, noTx: true, blind: true,
			Note: "the same, `MaxHeartbeatThrottleInterval` 100 ms",
		},
	}
}
