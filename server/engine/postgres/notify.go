package postgres

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

const (
	// maxPayload bounds a notification. PostgreSQL refuses 8000 bytes.
	maxPayload = 7500
	// maxQueued bounds the changes that wait to be sent. Beyond it, other processes
	// learn only that they missed some.
	maxQueued = 20_000
	// sendEvery is the least time between two notifications, so that they are
	// few: each takes a lock that all databases of the server share.
	sendEvery = 5 * time.Millisecond

	// notifyTimeout bounds the sending of a notification, and so what Close takes
	// while the database is away.
	notifyTimeout = 2 * time.Second

	// pingEvery is how often LISTEN is tested, by a notification of another
	// connection that must come back before the next. A connection may be dead
	// without an error.
	pingEvery = 4 * time.Second
	// listenRetry is the pause before another try to listen.
	listenRetry = 2 * time.Second
	// firstListen is how long Open waits for LISTEN.
	firstListen = time.Second
	// listeningPoll is how often to poll nevertheless.
	listeningPoll = time.Second
)

// notifier sends changes to other processes and receives theirs. All of it only
// hastens what polling would find.
type notifier struct {
	e       *Engine
	id      string // of this engine among those that notify
	channel string
	kick    chan struct{} // queued is not empty now
	live    atomic.Bool   // LISTEN works
	tried   chan struct{} // closed when it does, or has failed, for the first time
	pong    atomic.Int64  // the last ping that came back

	mu     sync.Mutex
	queued []string
	missed bool // others have missed changes, such as more than maxQueued
}

func newNotifier(e *Engine) *notifier {
	return &notifier{e: e, id: enginekit.Random(10), channel: channel(e.opts.Schema), kick: make(chan struct{}, 1), tried: make(chan struct{})}
}

// channel returns an identifier of a length that PostgreSQL does not cut.
func channel(schema string) string {
	sum := sha256.Sum256([]byte(schema))
	return "lro_" + hex.EncodeToString(sum[:10])
}

// waitListening waits a little until LISTEN works, or has failed.
func (n *notifier) waitListening(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, firstListen)
	defer cancel()
	select {
	case <-n.tried:
	case <-ctx.Done():
	}
}

func (n *notifier) listening() bool { return n.live.Load() }

// queue has changes sent soon.
func (n *notifier) queue(changes []news) {
	n.mu.Lock()
	for _, c := range changes {
		if len(n.queued) >= maxQueued {
			n.missed, n.queued = true, nil
		}
		n.queued = append(n.queued, c.line())
	}
	n.mu.Unlock()
	kick(n.kick)
}

// tellMissed has other processes know soon that they have missed changes.
func (n *notifier) tellMissed() {
	n.mu.Lock()
	n.missed = true
	n.mu.Unlock()
	kick(n.kick)
}

// payloads takes what is queued.
func (n *notifier) payloads() []string {
	n.mu.Lock()
	lines, missed := n.queued, n.missed
	n.queued, n.missed = nil, false
	n.mu.Unlock()
	if missed {
		lines = append(lines, lineMissed)
	}
	return n.format(lines)
}

// format makes notifications of lines, each headed by who has sent it.
func (n *notifier) format(lines []string) []string {
	var all []string
	var b strings.Builder
	for _, line := range lines {
		if b.Len() > 0 && b.Len()+1+len(line) > maxPayload {
			all = append(all, b.String())
			b.Reset()
		}
		if b.Len() == 0 {
			b.WriteString(n.id)
		}
		b.WriteByte('\n')
		b.WriteString(line)
	}
	if b.Len() > 0 {
		all = append(all, b.String())
	}
	return all
}

// send sends what is queued, until ctx ends. What is queued then is sent, too.
func (n *notifier) send(ctx context.Context) {
	for ended := false; !ended; {
		select {
		case <-n.kick:
		case <-ctx.Done():
			ended = true
		}
		wait := sendEvery
		if payloads := n.payloads(); len(payloads) > 0 {
			if err := n.notify(context.WithoutCancel(ctx), payloads); err != nil {
				// Others poll, and are told that they have missed some.
				n.e.outages.warn("other processes could not be notified of changes", err)
				n.tellMissed()
				wait = listenRetry
			}
		}
		pause(ctx, wait, nil)
	}
}

// notify sends notifications. They need not survive a crash of the server.
func (n *notifier) notify(ctx context.Context, payloads []string) error {
	ctx, cancel := context.WithTimeout(ctx, notifyTimeout)
	defer cancel()
	return n.e.with(ctx, n.e.ownPool, func(c *pgx.Conn) error {
		_, err := exec(ctx, pgxQuerier{q: c}, `SELECT pg_notify($1::text, p) FROM set_config('synchronous_commit', 'off', true), unnest($2::text[]) AS p`,
			n.channel, payloads)
		return err
	})
}

// receive hears of changes, until ctx ends.
func (n *notifier) receive(ctx context.Context) {
	tried := sync.OnceFunc(func() { close(n.tried) })
	defer tried()
	if n.e.opts.PollOnly {
		return
	}
	for {
		err := n.listen(ctx, tried)
		if n.live.Swap(false) {
			n.miss()
		}
		if ctx.Err() != nil {
			return
		}
		n.e.outages.warn("LISTEN failed, will try again, and polls meanwhile", err)
		if !pause(ctx, listenRetry, nil) {
			return
		}
	}
}

// miss does what must be done when changes may not have been received.
func (n *notifier) miss() {
	n.e.wakeWorkers("")
	n.e.feed.End(engine.ErrLagged)
}

var errDeaf = errors.New("a notification that was sent did not arrive: the connection is dead, or goes through a pooler in transaction mode, which needs Options.Listen or PollOnly (lro serve --notify-db)")

// listen hears of changes on one connection, until it fails or is found dead.
func (n *notifier) listen(ctx context.Context, tried func()) error {
	defer tried()
	conn, release, err := n.connect(ctx)
	if err != nil {
		return err
	}
	defer release()
	hearing, stop := context.WithCancelCause(ctx)
	var pinging sync.WaitGroup
	defer pinging.Wait()
	defer stop(nil)
	pinging.Go(func() { n.ping(hearing, stop) })
	for {
		notification, err := conn.WaitForNotification(hearing)
		if err != nil {
			if cause := context.Cause(hearing); cause != nil {
				err = cause // err says only that the wait was ended
			}
			return err
		}
		if notification.Channel == n.channel {
			n.hear(notification.Payload)
		}
		if n.listening() {
			tried()
		}
	}
}

// connect returns a connection that listens.
func (n *notifier) connect(ctx context.Context) (conn *pgx.Conn, release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, acquireTimeout)
	defer cancel()
	if config := n.e.opts.Listen; config != nil {
		conn, err = pgx.ConnectConfig(ctx, config.Copy())
	} else {
		pooled, err := n.e.ownPool.Acquire(ctx)
		if err != nil {
			return nil, nil, err
		}
		// It listens, and must not be used for anything else again.
		conn = pooled.Hijack()
	}
	if err != nil {
		return nil, nil, err
	}
	release = func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{n.channel}.Sanitize()); err != nil {
		release()
		return nil, nil, err
	}
	return conn, release, nil
}

// ping tests the connection until ctx ends, and ends it when it is deaf.
func (n *notifier) ping(ctx context.Context, stop context.CancelCauseFunc) {
	for i := n.pong.Load() + 1; ; i++ {
		err := n.notify(ctx, n.format([]string{linePing + " " + strconv.FormatInt(i, 10)}))
		if !pause(ctx, pingEvery, nil) {
			return
		}
		if n.pong.Load() < i {
			stop(cmp.Or(err, errDeaf))
			return
		}
	}
}

// hear acts on a notification.
func (n *notifier) hear(payload string) {
	lines := strings.Split(payload, "\n")
	own := lines[0] == n.id
	var changes []news
	for _, line := range lines[1:] {
		if what, number, _ := strings.Cut(line, " "); what == linePing {
			if i, err := strconv.ParseInt(number, 10, 64); own && err == nil {
				n.pong.Store(i)
				if !n.live.Swap(true) {
					n.miss()
				}
			}
			continue
		}
		if own {
			continue // known
		}
		if line == lineMissed {
			n.miss()
			continue
		}
		if c, ok := parseLine(line); ok {
			changes = append(changes, c)
		}
	}
	n.e.hear(changes)
}
