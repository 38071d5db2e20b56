package postgres

import (
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// rowColumns are what scanRow reads, in its order, of op o and live l.
const rowColumns = `o.seq, o.tail, o.parent, o.kind, o.state, o.flags, o.create_time,
	o.crash_limit, o.retention, o.lease_for, coalesce(o.request_id, ''), coalesce(o.caller, ''), o.trace,
	o.request, o.result, o.end_time, o.expire_time,
	l.seq IS NOT NULL, l.owner, coalesce(l.hidden, false), l.due, l.lease_until,
	coalesce(l.attempt, o.attempt, 0), coalesce(l.crashes, o.crashes, 0), coalesce(l.releases, o.releases, 0),
	coalesce(l.fence, o.fence, 0), coalesce(l.revision, o.revision, 0),
	coalesce(l.start_time, o.start_time), coalesce(l.update_time, o.update_time, o.create_time),
	coalesce(l.cancel_time, o.cancel_time), coalesce(l.history, o.history)::text,
	coalesce(l.metadata, o.metadata), coalesce(l.checkpoint, o.checkpoint), statement_timestamp()`

const selectRows = `SELECT ` + rowColumns + ` FROM {op} o LEFT JOIN {live} l ON l.seq = o.seq `

// changeTime is the time of a change. Statements that waited for a lock began earlier
// than the change before them.
const changeTime = `greatest(l.update_time, statement_timestamp())`

// eventTime is the same in nanoseconds, as a stored event has it.
const eventTime = `(extract(epoch FROM ` + changeTime + `) * 1000000)::bigint * 1000`

// startColumns are the parameters of a start, in the order of [startCall.args].
var startColumns = []struct{ name, typ string }{
	{"tail", "text"}, {"parent", "text"}, {"kind", "text"}, {"flags", "integer"},
	{"crash_limit", "integer"}, {"retention", "bigint"}, {"lease_for", "bigint"},
	{"request_id", "text"}, {"caller", "text"}, {"request_key", "bytea"},
	{"trace", "text"}, {"request", "bytea"}, {"metadata", "bytea"}, {"late", "boolean"},
}

// startSQL starts an operation, or a group whose parameters are arrays. It returns
// those that their request IDs did not start before. One operation needs neither a
// set of rows nor a join, which are a seventh of the statement's time.
func startSQL(group bool) string {
	with, seq, from, both := "WITH", "nextval('{seq}')", "", "FROM o"
	var names, arrays, replace []string
	for i, c := range startColumns {
		parameter := "$" + strconv.Itoa(i+1) + "::" + c.typ
		names, arrays = append(names, c.name), append(arrays, parameter+"[]")
		if group {
			parameter = "s." + c.name
		}
		replace = append(replace, "@"+c.name+"@", parameter)
	}
	if group {
		with = `WITH s AS MATERIALIZED (
	SELECT nextval('{seq}') AS seq, v.* FROM (SELECT * FROM unnest(` + strings.Join(arrays, ", ") + `)
		WITH ORDINALITY AS v(` + strings.Join(names, ", ") + `, n) ORDER BY n) v
),`
		seq, from, both = "s.seq", "FROM s", "FROM s JOIN o ON o.seq = s.seq"
	}
	return strings.NewReplacer(append(replace, "@with@", with, "@seq@", seq, "@from@", from, "@both@", both)...).Replace(`
@with@ o AS (
	INSERT INTO {op} (seq, tail, parent, kind, flags, create_time, crash_limit, retention, lease_for,
		request_id, caller, request_key, trace, request)
	SELECT @seq@, @tail@, @parent@, @kind@, @flags@, statement_timestamp(), @crash_limit@, @retention@, @lease_for@,
		nullif(@request_id@, ''), CASE WHEN @request_key@ IS NOT NULL THEN @caller@ END, @request_key@, @trace@, @request@
	@from@
	ON CONFLICT (request_key) WHERE request_key IS NOT NULL DO NOTHING
	RETURNING seq, tail, create_time
), l AS (
	INSERT INTO {live} (seq, kind, owner, fence, hidden, due, lease_until, attempt, crashes, releases, revision,
		start_time, update_time, history, metadata)
	SELECT o.seq, @kind@, CASE WHEN @flags@ & 1 = 1 THEN 0 END, @flags@ & 1, false,
		CASE WHEN @late@ THEN o.create_time END,
		CASE WHEN @flags@ & 1 = 1 AND @lease_for@ > 0 THEN o.create_time + @lease_for@ / 1000 * interval '1 microsecond' END,
		@flags@ & 1, 0, 0, 1, CASE WHEN @flags@ & 1 = 1 THEN o.create_time END, o.create_time, '[]', @metadata@
	@both@
)
SELECT seq, tail, create_time FROM o`)
}

// endSQL ends the operations of source: numbers, fences, states, results, metadata,
// NULL for what is there, and revisions that were shown. keys are the numbers. It
// skips what another transaction has locked, and what was deleted.
func endSQL(source, keys string) string {
	return `
WITH gone AS (
	DELETE FROM {live} l USING ` + source + ` AS d(seq, fence, state, result, metadata, revision)
	WHERE l.seq = d.seq AND l.owner IS NOT NULL AND l.fence = d.fence AND NOT l.hidden AND l.seq = ANY(ARRAY(
		SELECT m.seq FROM {live} m WHERE m.seq = ` + keys + ` ORDER BY m.seq FOR UPDATE SKIP LOCKED))
	RETURNING l.seq, l.attempt, l.crashes, l.releases, l.fence, greatest(l.revision + 1, d.revision) AS revision,
		l.start_time, ` + changeTime + ` AS at, l.cancel_time, l.history, l.checkpoint, coalesce(d.metadata, l.metadata) AS metadata,
		CASE WHEN d.metadata IS NULL THEN l.metadata END AS stored, d.state, d.result
)
UPDATE {op} o SET state = g.state, attempt = g.attempt, crashes = g.crashes, releases = g.releases, fence = g.fence,
	revision = g.revision, start_time = g.start_time, update_time = g.at, cancel_time = g.cancel_time, end_time = g.at,
	expire_time = CASE WHEN o.retention > 0 THEN g.at + o.retention / 1000 * interval '1 microsecond' END,
	history = g.history, metadata = g.metadata, checkpoint = g.checkpoint, result = g.result
FROM gone g WHERE o.seq = g.seq
RETURNING g.seq, g.fence, g.revision, g.at, g.cancel_time, o.expire_time, g.stored, g.checkpoint`
}

// watchSQL reads those of $1 that have ended or were deleted; without leaves out the
// others. What is not there has no kind.
func watchSQL(without string) string {
	return `SELECT ` + rowColumns + ` FROM (SELECT s FROM unnest($1::bigint[]) AS s ` + without + `) w
	LEFT JOIN {op} x ON x.seq = w.s
	CROSS JOIN LATERAL (SELECT w.s AS seq, coalesce(x.tail, '') AS tail, coalesce(x.parent, '') AS parent, coalesce(x.kind, '') AS kind,
		x.state, coalesce(x.flags, 0) AS flags, coalesce(x.create_time, 'epoch') AS create_time, coalesce(x.crash_limit, 0) AS crash_limit,
		coalesce(x.retention, 0) AS retention, coalesce(x.lease_for, 0) AS lease_for, x.request_id, x.caller, x.trace, x.request, x.result,
		x.end_time, x.expire_time, x.attempt, x.crashes, x.releases, x.fence, x.revision, x.start_time, x.update_time, x.cancel_time,
		x.history, x.metadata, x.checkpoint) o
	LEFT JOIN {live} l ON l.seq = w.s`
}

// statements are those of one schema.
type statements struct {
	tables *strings.Replacer // of {op} and the like

	start, startGroup  string
	byRequestKey       string
	get, getMany       string
	lock               string
	claim, claimInfo   string
	end, endGroup      string
	endOne, dropLive   string
	updateLive         string
	hide, remove       string
	progress           string
	watch, watchRange  string
	mine               string
	join, renew, leave string
	hold, voidClaims   string
	expireProc         string
	deadProcs, lockDead, owned, allOwned,
	endedLeases, nextEvents string
	expire            string
	counts, compact   string
	queues            string
	newest, revisions string
	secret            string
}

func newStatements(schema string) *statements {
	table := func(name string) string { return pgx.Identifier{schema, name}.Sanitize() }
	replace := strings.NewReplacer("{op}", table("op"), "{live}", table("live"), "{proc}", table("proc"), "{tally}", table("tally"),
		"{secret}", table("secret"), "{seq}", strings.ReplaceAll(table("op_seq"), "'", "''"), "{sequence}", table("op_seq"))
	s := &statements{
		start:        startSQL(false),
		startGroup:   startSQL(true),
		byRequestKey: selectRows + `WHERE o.request_key = $1::bytea`,
		get:          selectRows + `WHERE o.seq = $1::bigint`,
		getMany:      selectRows + `WHERE o.seq = ANY($1::bigint[])`,
		end:          endSQL(`(VALUES ($1::bigint, $2::bigint, $3::smallint, $4::bytea, $5::bytea, $6::bigint))`, `$1::bigint`),
		endGroup:     endSQL(`unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bytea[], $5::bytea[], $6::bigint[])`, `ANY($1::bigint[])`),
		lock:         `SELECT seq FROM {live} WHERE seq = $1::bigint FOR UPDATE`,

		// $1 the process, $2 kinds, $3 from which number on, $4 how many of each,
		// $5 of all, $6 when the process started. Candidates are read without a lock, so
		// that only rows that are claimed are locked. A claim may run after its process has
		// been taken over, has left, or has given it up and started anew: then it claims
		// nothing. All three wait for a claim that has begun. CASE has the
		// process looked at, and locked, only once there is a candidate: the lock makes
		// the claim a transaction that writes.
		claim: `
UPDATE {live} l SET owner = $1::bigint, fence = l.fence + 1, attempt = l.attempt + 1, revision = l.revision + 1, due = NULL,
	start_time = coalesce(l.start_time, statement_timestamp()), update_time = ` + changeTime + `,
	history = CASE WHEN l.attempt = 0 THEN l.history
		ELSE CASE WHEN jsonb_array_length(l.history) >= 100 THEN l.history - 0 ELSE l.history END
			|| jsonb_build_object('t', ` + eventTime + `, 'e', 'attempt_started', 'a', l.attempt + 1) END
FROM {op} o
WHERE o.seq = l.seq AND l.seq = ANY(ARRAY(
	SELECT p.seq FROM {live} p WHERE p.owner IS NULL AND p.seq = ANY(ARRAY(
		SELECT c.seq FROM unnest($2::text[], $3::bigint[], $4::integer[]) AS k(kind, mark, n), LATERAL (
			(SELECT f.seq FROM {live} f
				WHERE f.kind = k.kind AND f.owner IS NULL AND f.due IS NULL AND f.seq >= k.mark ORDER BY f.seq LIMIT k.n)
			UNION ALL
			(SELECT d.seq FROM {live} d
				WHERE d.kind = k.kind AND d.owner IS NULL AND d.due <= statement_timestamp() ORDER BY d.due LIMIT k.n)
			ORDER BY 1 LIMIT k.n) c
		WHERE CASE WHEN c.seq > 0 THEN EXISTS (SELECT 1 FROM {proc} WHERE id = $1::bigint AND started = $6::timestamptz FOR KEY SHARE) END))
	ORDER BY p.seq LIMIT $5::integer FOR UPDATE SKIP LOCKED))
RETURNING ` + rowColumns,
		// The last number that was given away, how long until a retry is due, and whether
		// $1 still is a process that started at $2.
		claimInfo: `SELECT (SELECT last_value FROM {sequence}), coalesce((SELECT extract(epoch FROM due - clock_timestamp())
			FROM {live} WHERE owner IS NULL AND due IS NOT NULL AND due > statement_timestamp() ORDER BY due LIMIT 1), 3600)::float8,
			EXISTS (SELECT FROM {proc} WHERE id = $1::bigint AND started = $2::timestamptz)`,

		// The end of an operation that is locked, as [Engine.writes] has it.
		dropLive: `DELETE FROM {live} WHERE seq = $1::bigint`,
		endOne: `UPDATE {op} SET state = $2::smallint, attempt = $3::integer, crashes = $4::integer, releases = $5::integer,
			fence = $6::bigint, revision = $7::bigint, start_time = $8::timestamptz, update_time = $9::timestamptz,
			cancel_time = $10::timestamptz, end_time = $9::timestamptz, expire_time = $11::timestamptz, history = $12::jsonb,
			metadata = $13::bytea, checkpoint = $14::bytea, result = $15::bytea WHERE seq = $1::bigint`,
		updateLive: `UPDATE {live} SET owner = $2::bigint, fence = $3::bigint, due = $4::timestamptz, attempt = $5::integer,
			crashes = $6::integer, releases = $7::integer, revision = $8::bigint, start_time = $9::timestamptz,
			update_time = $10::timestamptz, cancel_time = $11::timestamptz, history = $12::jsonb, metadata = $13::bytea,
			checkpoint = $14::bytea, lease_until = $15::timestamptz WHERE seq = $1::bigint`,
		hide: `WITH l AS (UPDATE {live} SET hidden = true, due = CASE WHEN owner IS NULL THEN coalesce(due, statement_timestamp()) END
				WHERE seq = $1::bigint)
			UPDATE {op} SET request_key = NULL WHERE seq = $1::bigint`,
		remove: `DELETE FROM {op} WHERE seq = $1::bigint RETURNING seq`,

		// $1 numbers, $2 fences, $3 metadata, $4 revisions and $5 times that were
		// shown. It skips what another transaction has locked.
		progress: `
WITH d AS MATERIALIZED (
	SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bigint[], $5::timestamptz[]) AS d(seq, fence, metadata, revision, at)
)
UPDATE {live} l SET metadata = d.metadata, revision = greatest(l.revision + 1, d.revision), update_time = greatest(l.update_time, d.at)
FROM d WHERE d.seq = l.seq AND l.owner IS NOT NULL AND l.fence = d.fence AND l.seq = ANY(ARRAY(
	SELECT m.seq FROM {live} m WHERE m.seq = ANY($1::bigint[]) ORDER BY m.seq FOR UPDATE SKIP LOCKED))
RETURNING l.seq, l.revision`,

		watch: watchSQL(`WHERE NOT EXISTS (SELECT 1 FROM {live} l WHERE l.seq = s AND NOT l.hidden)`),
		// $2 to $3 are the least and the greatest of $1. It takes half of the time where
		// few others are between them, whatever work_mem is: NOT IN would not.
		watchRange: watchSQL(`EXCEPT ALL SELECT l.seq FROM {live} l WHERE l.seq BETWEEN $2::bigint AND $3::bigint AND NOT l.hidden`),
		// Of $1 those that are still owned by $2, with whether they were cancelled, and
		// deleted.
		mine: `SELECT l.seq, l.fence, l.cancel_time IS NOT NULL, l.hidden FROM {live} l WHERE l.seq = ANY($1::bigint[]) AND l.owner = $2::bigint`,

		join: `INSERT INTO {proc} (identity, started, until)
			VALUES ($1::text, clock_timestamp(), clock_timestamp() + $2::bigint * interval '1 microsecond') RETURNING id, started`,
		hold:       `SELECT id FROM {proc} WHERE id = $1::bigint FOR UPDATE`,
		voidClaims: `UPDATE {proc} SET started = clock_timestamp() WHERE id = $1::bigint RETURNING started`,
		// A process whose lease has ended may renew it until another one has taken all
		// its operations. Those that were taken are fenced.
		renew:      `UPDATE {proc} SET until = clock_timestamp() + $2::bigint * interval '1 microsecond' WHERE id = $1::bigint RETURNING id`,
		expireProc: `UPDATE {proc} SET until = '-infinity' WHERE id = $1::bigint`,
		leave:      `DELETE FROM {proc} WHERE id = $1::bigint AND NOT EXISTS (SELECT 1 FROM {live} WHERE owner = $1::bigint) RETURNING id`,

		deadProcs: `SELECT id FROM {proc} WHERE until < statement_timestamp() ORDER BY id`,
		lockDead:  `SELECT id FROM {proc} WHERE id = $1::bigint AND until < statement_timestamp() FOR UPDATE SKIP LOCKED`,
		allOwned:  `SELECT seq FROM {live} WHERE owner = $1::bigint ORDER BY seq`,
		owned:     `SELECT seq FROM {live} WHERE owner = $1::bigint ORDER BY seq LIMIT $2::integer FOR UPDATE SKIP LOCKED`,
		// The statements of a sweep are given a time before which they need not look.
		endedLeases: `SELECT seq FROM {live} WHERE lease_until >= $1::timestamptz AND lease_until <= statement_timestamp() ORDER BY lease_until LIMIT 100`,
		// How long until the next lease of an external operation ends, or an operation
		// expires.
		nextEvents: `SELECT least(coalesce((SELECT extract(epoch FROM min(lease_until) - statement_timestamp()) FROM {live} WHERE lease_until >= $1::timestamptz), 3600),
			coalesce((SELECT extract(epoch FROM min(expire_time) - statement_timestamp()) FROM {op} WHERE expire_time >= $1::timestamptz), 3600))::float8,
			statement_timestamp()`,
		expire: `WITH o AS (
				DELETE FROM {op} WHERE seq = ANY(ARRAY(SELECT seq FROM {op} WHERE expire_time >= $2::timestamptz AND expire_time <= statement_timestamp()
					ORDER BY expire_time LIMIT $1::integer FOR UPDATE SKIP LOCKED)) RETURNING *
			) SELECT ` + rowColumns + ` FROM o LEFT JOIN {live} l ON l.seq = o.seq`,
		counts: `SELECT kind, CASE WHEN owner IS NULL THEN 1 ELSE 2 END, count(*) FROM {live} WHERE NOT hidden GROUP BY 1, 2
			UNION ALL SELECT kind, state, sum(n)::bigint FROM {tally} GROUP BY 1, 2 HAVING sum(n) <> 0`,
		// $1 how many rows may be there. Two programs at once add up what each removes.
		compact: `WITH d AS (
				DELETE FROM {tally} WHERE (SELECT count(*) FROM {tally}) > $1::bigint RETURNING kind, state, n
			) INSERT INTO {tally} (kind, state, n) SELECT kind, state, sum(n) FROM d GROUP BY kind, state HAVING sum(n) <> 0`,
		queues: `SELECT kind, count(*), greatest(0, extract(epoch FROM statement_timestamp() - min(coalesce(due, update_time))))::float8
			FROM {live} WHERE owner IS NULL AND NOT hidden AND (due IS NULL OR due <= statement_timestamp()) GROUP BY kind`,
		newest:    `SELECT seq FROM {op} WHERE seq > $1::bigint ORDER BY seq DESC LIMIT $2::integer`,
		revisions: `SELECT seq, revision FROM {live} WHERE NOT hidden`,
		secret:    `SELECT value FROM {secret} WHERE name = $1::text`,
	}
	s.tables = replace
	for _, sql := range s.all() {
		*sql = replace.Replace(*sql)
	}
	return s
}

func (s *statements) all() []*string {
	return []*string{
		&s.start, &s.startGroup, &s.byRequestKey, &s.get, &s.getMany, &s.lock, &s.claim, &s.claimInfo, &s.end, &s.endGroup, &s.endOne,
		&s.dropLive, &s.updateLive, &s.hide, &s.remove, &s.progress, &s.watch, &s.watchRange, &s.mine, &s.join, &s.renew, &s.leave, &s.hold, &s.voidClaims, &s.expireProc,
		&s.deadProcs, &s.lockDead, &s.owned, &s.allOwned, &s.endedLeases, &s.nextEvents, &s.expire, &s.counts, &s.compact, &s.queues, &s.secret, &s.newest, &s.revisions,
	}
}
