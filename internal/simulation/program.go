package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/go-lro/lro/internal/oracle"
)

// What a program does besides what is in its history.
const (
	doDie       = "die"       // the process, at a change of the store or at a moment
	doRestart   = "restart"   // cleanly
	doUpgrade   = "upgrade"   // a restart in which one kind is missing for a while
	doDisk      = "disk"      // changes of the store fail
	doPartition = "partition" // a caller reaches the server no longer, for a while
)

// Faults of processes that share a store, aimed at an operation that the step starts:
// by chance hardly any operation is in such a state when a fault comes.
const (
	doStop   = "stop"                    // the process of the attempt, until another one has taken the operation over
	doKill   = "kill"                    // the process of each of so many attempts
	doCancel = oracle.Cancel + " + kill" // the process of an attempt that has not ended since the cancel

	doElsewhere = oracle.Cancel + " elsewhere" // no fault of that attempt's process: the cancel is made through another one
	doCommit    = "commit"                     // one of commitFaults, while the attempt ends in a transaction
)

// What happens to an attempt that ends in a transaction.
const (
	commitLate  = iota // its process is stopped before it, until another one has taken the operation over
	commitStop         // the same while the transaction is open, or just after
	commitKill         // its process is killed then
	commitStore        // the store, or how the process reaches it, has a fault then
	commitCalm         // nothing
	commitFaults
)

// What happens to processes besides a cancel through another one.
const (
	elsewhereCalm  = iota
	elsewhereReset // the connections of the attempt's process are reset just before
	elsewhereKill  // the process that cancelled is killed just after
	elsewhereFaults
)

// step is one action. What it does depends on the step alone, and on the seed,
// so that a program without some of its steps is a program.
type step struct {
	Index int           // in the program that the seed makes
	Actor int           // a caller, from 0, or the operator; the world where it is negative
	After time.Duration // the pause before it
	Do    string
	Key   int

	Variant bool          // of start: with another request than usual
	Filter  string        // of list
	Size    int           // of list: of a page; of disk: how many changes fail; of an aimed fault: of attempts
	For     time.Duration // of wait, await and partition, and of how long the process stays away
	Fault   int           // of disk and die: which, of those that the store has
	Nth     int           // of disk and die: at which change from now
	// Of die and restart: the fault while the next process opens the store, or soon
	// after, of all that the store has, and at which change; negative for none.
	Opens, OpensNth int
	Caller          int // of partition
}

func (s step) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%4d  %-9s +%v %s", s.Index, actorName(s.Actor), s.After, s.Do)
	switch s.Do {
	case oracle.List:
		fmt.Fprintf(&b, " under %s by %d, filter %q", parentOf(s.Key), s.Size, s.Filter)
	case doDie, doDisk:
		fmt.Fprintf(&b, " fault %d at change %d, of %d", s.Fault, s.Nth, s.Size)
	case doRestart, doUpgrade, oracle.Backup:
	case doPartition:
		fmt.Fprintf(&b, " %s", actorName(s.Caller))
	case doKill:
		fmt.Fprintf(&b, " key %d, %d times", s.Key, s.Size)
	case doCommit, doElsewhere:
		fmt.Fprintf(&b, " key %d, fault %d", s.Key, s.Fault)
	default:
		fmt.Fprintf(&b, " key %d", s.Key)
	}
	if s.Variant {
		b.WriteString(" with another request")
	}
	if s.For > 0 {
		fmt.Fprintf(&b, " for %v", s.For)
	}
	return b.String()
}

func actorName(actor int) string {
	switch {
	case actor < 0:
		return "world"
	case actor == operator:
		return "operator"
	}
	return fmt.Sprintf("caller %d", actor)
}

// program is what a seed stands for.
type program struct {
	seed    uint64
	callers int
	keys    []key // by number
	common  int   // of those, what callers use; the others are each of an aimed step
	steps   []step
	net     netFaults
	loose   bool          // not the same need happen in each run
	crowd   time.Duration // see clock
	servers int           // of one process, on one engine
	shared  bool          // several processes share the store
	pace    pace
}

// key is what operations are started with: always the same request, kind and
// parent, and mostly a request ID. Calls name operations by their key: they mean
// the latest that is known of it.
type key struct {
	kind   string
	script string
	id     bool // has a request ID
}

func parentOf(key int) string { return []string{"shelves/a", "shelves/b"}[key%2] }

// netFaults are the probabilities with which a call suffers.
type netFaults struct {
	lost, replyLost, twice, hangs float64
	latency                       time.Duration // at most, each way
}

// The streams of random numbers of a seed.
const (
	streamProgram = iota
	streamNet
	streamKeys
	streamTx
	streamAim
	streamWork
	streamOutside
	streamCommit
	streamElsewhere
	streamChange
	streamBesides
	streamFeed
	streamBackup
)

func random(seed uint64, stream, n int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(stream)<<32|uint64(uint32(n))))
}

func generate(seed uint64) *program {
	r := random(seed, streamProgram, 0)
	p := &program{seed: seed, callers: 1 + r.IntN(4)}
	p.loose = r.IntN(4) == 0
	keys := 2 + r.IntN(8)
	pace := []time.Duration{time.Millisecond, 50 * time.Millisecond, time.Second, 20 * time.Second}[r.IntN(4)]
	if p.loose && r.IntN(4) > 0 {
		p.crowd = min(pace, 50*time.Millisecond)
		p.callers, keys = 4+r.IntN(5), 1+r.IntN(4)
	}
	for range keys {
		p.keys = append(p.keys, generateKey(r, p.loose))
	}
	if r.IntN(3) > 0 {
		p.net = netFaults{lost: r.Float64() * 0.1, replyLost: r.Float64() * 0.1, twice: r.Float64() * 0.1, hangs: r.Float64() * 0.03}
	}
	p.common = len(p.keys)
	p.servers = 1 + r.IntN(2)
	p.net.latency = time.Duration(1+r.IntN(20)) * time.Millisecond
	for range 20 + r.IntN(120) {
		s := step{Index: len(p.steps), Actor: r.IntN(p.callers), Key: r.IntN(len(p.keys))}
		s.After = time.Duration(r.Float64() * r.Float64() * float64(pace))
		p.callerStep(r, &s)
		p.steps = append(p.steps, s)
	}
	// One in five programs has no faults but of the network.
	if r.IntN(5) > 0 {
		for range 1 + r.IntN(6) {
			s := step{Index: len(p.steps), Actor: -1, After: time.Duration(r.Float64() * float64(pace) * float64(len(p.steps)) / 4)}
			p.worldStep(r, &s)
			p.steps = append(p.steps, s)
		}
	}
	p.backups(random(seed, streamBackup, 0), pace)
	return p
}

func generateKey(r *rand.Rand, loose bool) key {
	kinds := append([]string{kindWork, kindOutside}, handledKinds...)
	k := key{kind: kinds[r.IntN(len(kinds))], id: r.IntN(3) > 0}
	if k.kind == kindOutside {
		return k
	}
	var script []string
	for range r.IntN(5) {
		switch r.IntN(5) {
		case 0:
			script = append(script, wordReport)
		case 1, 2:
			script = append(script, wordSave)
		default:
			script = append(script, (time.Duration(1+r.IntN(1000)) * []time.Duration{time.Microsecond, time.Millisecond, 10 * time.Millisecond}[r.IntN(3)]).String())
		}
	}
	ends := []string{wordOK, wordOK, wordOK, wordFail, wordRetry, wordDeaf}
	if loose {
		ends = append(ends, wordLater) // the wait has a jitter
	}
	script = append(script, ends[r.IntN(len(ends))])
	k.script = strings.Join(script, " ")
	return k
}

func (p *program) callerStep(r *rand.Rand, s *step) {
	if p.keys[s.Key].kind == kindOutside && r.IntN(2) == 0 {
		s.Do = []string{oracle.Report, oracle.Heartbeat, oracle.Complete, oracle.Fail}[r.IntN(4)]
		return
	}
	switch n := r.IntN(20); {
	case n < 7:
		s.Do = oracle.Start
		s.Variant = r.IntN(12) == 0
	case n < 10:
		s.Do = oracle.Get
	case n < 12:
		s.Do = oracle.Wait
		s.For = time.Duration(1+r.IntN(40)) * time.Second
	case n < 13:
		s.Do = oracle.Await
		s.For = time.Duration(1+r.IntN(100)) * time.Second
	case n < 15:
		s.Do = oracle.Cancel
	case n < 17:
		s.Do = oracle.Delete
	default:
		s.Do = oracle.List
		s.Size = 1 + r.IntN(5)
		if r.IntN(2) == 0 {
			s.Filter = filterTexts[r.IntN(len(filterTexts))]
		}
	}
}

func (p *program) worldStep(r *rand.Rand, s *step) {
	s.Fault = r.IntN(1 << 16)
	s.Nth = 1 + r.IntN(1<<r.IntN(7))
	s.Opens = -1
	if r.IntN(3) == 0 {
		s.Opens, s.OpensNth = r.IntN(1<<16), 1+r.IntN(1<<r.IntN(7))
	}
	switch r.IntN(8) {
	case 0, 1, 2:
		s.Do = doDie
		s.For = time.Duration(1+r.IntN(30)) * 100 * time.Millisecond
	case 3:
		s.Do = doRestart
		s.For = time.Duration(r.IntN(20)) * 100 * time.Millisecond
	case 4:
		s.Do = doUpgrade
		s.For = time.Duration(1+r.IntN(20)) * time.Second
	case 5, 6:
		s.Do = doDisk
		s.Size = 1 + r.IntN(10)
	case 7:
		s.Do = doPartition
		s.Caller = r.IntN(p.callers)
		s.For = time.Duration(1+r.IntN(60)) * time.Second
	}
}

// sharedPace and sharedTime fit a program into real time: all times are divided
// by the one, and no actor pauses for longer than the other between its steps.
const (
	sharedPace = 10
	sharedTime = 5 * time.Second
)

// share makes it a program of several processes in real time, which share a
// store. Its steps stay the same; where there are faults, some are added that are
// aimed: one of them is for transactions, where the store has them.
func (p *program) share(transacts bool) *program {
	out := *p
	out.shared, out.pace, out.servers = true, sharedPace, 1
	out.steps = p.withoutBackups()
	paused := make(map[int]time.Duration)
	longest := sharedTime
	for _, s := range out.steps {
		paused[s.Actor] += s.After
		longest = max(longest, paused[s.Actor])
	}
	for i := range out.steps {
		s := &out.steps[i]
		s.After = time.Duration(float64(s.After) * float64(sharedTime) / float64(longest))
		if s.Do != doDie && s.Do != doRestart {
			s.For = out.pace.of(s.For)
		}
	}
	if slices.ContainsFunc(out.steps, func(s step) bool { return s.Actor < 0 }) {
		out.aim(random(p.seed, streamAim, 0))
		// These come last, and leave the others when they were.
		if transacts {
			out.commit(random(p.seed, streamCommit, 0))
		}
		out.elsewhere(random(p.seed, streamElsewhere, 0))
	}
	return &out
}

// aim adds an aimed fault, and the key of its operation: one whose attempts heed no
// end of their context, and so last until the fault has come.
func (p *program) aim(r *rand.Rand) {
	s := step{Index: len(p.steps), Actor: -1, Key: len(p.keys), Size: 1, Opens: -1, For: time.Duration(1+r.IntN(500)) * time.Millisecond}
	k := key{kind: []string{kindWork, kindBrief, kindNarrow}[r.IntN(3)], id: true}
	switch r.IntN(3) {
	case 0:
		s.Do = doStop
	case 1:
		s.Do = doCancel
	default:
		s.Do, k.kind = doKill, kindNarrow
		if s.Size = narrowCrashes; r.IntN(4) == 0 {
			s.Size, k.kind = 1, kindOnce
		}
	}
	k.script = []string{"", wordSave + " ", wordReport + " " + wordSave + " "}[r.IntN(3)] + wordDeaf
	p.keys = append(slices.Clip(p.keys), k)
	p.steps = slices.Insert(p.steps, r.IntN(len(p.steps)+1), s)
}

// commit adds a fault for an attempt that ends in a transaction.
func (p *program) commit(r *rand.Rand) {
	s := step{
		Index: len(p.steps), Actor: -1, Key: len(p.keys), Opens: -1, Do: doCommit, Fault: r.IntN(commitFaults), Nth: r.IntN(1 << 16), Size: 1 + r.IntN(3),
		For: time.Duration(r.Int64N(int64(p.pace.of(openFor) * 3 / 2))),
	}
	k := key{kind: []string{kindWork, kindNarrow, kindBrief, kindOnce}[r.IntN(4)], id: true}
	k.script = []string{"", wordSave + " ", wordReport + " "}[r.IntN(3)] + wordCommit
	if s.Fault == commitLate {
		k.script = wordLate
	}
	p.keys, p.steps = append(slices.Clip(p.keys), k), append(p.steps, s)
}

// elsewhere adds a cancel through another process than that of the attempt.
func (p *program) elsewhere(r *rand.Rand) {
	s := step{Index: len(p.steps), Actor: -1, Key: len(p.keys), Opens: -1, Do: doElsewhere, Fault: r.IntN(elsewhereFaults), For: time.Duration(r.IntN(500)) * time.Millisecond}
	p.keys, p.steps = append(slices.Clip(p.keys), key{kind: kindWork, script: wordHeed, id: true}), append(p.steps, s)
}

// faulty reports whether something happens to the processes or the store.
func (p *program) faulty() bool {
	return slices.ContainsFunc(p.steps, func(s step) bool { return s.Actor < 0 && s.Do != doPartition })
}

// only returns the program with those of its steps alone.
func (p *program) only(keep []int) *program {
	out := *p
	out.steps = nil
	for _, s := range p.steps {
		if slices.Contains(keep, s.Index) {
			out.steps = append(out.steps, s)
		}
	}
	return &out
}

func (p *program) String() string {
	var b strings.Builder
	for i, k := range p.keys {
		fmt.Fprintf(&b, "key %d: kind %s, request ID %t, script %q\n", i, k.kind, k.id, k.script)
	}
	for _, s := range p.steps {
		fmt.Fprintln(&b, s)
	}
	return b.String()
}
