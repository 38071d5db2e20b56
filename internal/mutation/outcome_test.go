package mutation

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Outcomes of a change.
const (
	killed   = "killed"
	hangs    = "hangs"        // found by the time that the tests take
	since    = "killed since" // survived when it was made first; a test was written
	survived = "SURVIVED"
	invalid  = "does not compile"
)

// line is a line of the file: the outcome of a change, its place, and the test
// that found it or, of a survivor, why no caller can notice it. Tabs are between them.
type line struct{ outcome, what, why string }

func (l line) String() string { return l.outcome + "\t" + l.what + "\t" + l.why }

// outcomes is the file.
type outcomes struct {
	lines []line
	at    map[string]int // by what
}

func readOutcomes(file string) (*outcomes, error) {
	b, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	o := &outcomes{at: make(map[string]int)}
	for text := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSuffix(text, "\n"), "\t")
		if len(f) != 3 {
			return nil, fmt.Errorf("read outcomes: line %q has no outcome, place and reason", text)
		}
		o.set(line{f[0], f[1], f[2]})
	}
	return o, nil
}

func (o *outcomes) get(what string) (line, bool) {
	i, ok := o.at[what]
	if !ok {
		return line{}, false
	}
	return o.lines[i], true
}

// set adds an outcome, or replaces the one that its place had. A survivor that is
// not killed keeps its reason.
func (o *outcomes) set(l line) {
	i, ok := o.at[l.what]
	if !ok {
		o.at[l.what] = len(o.lines)
		o.lines = append(o.lines, l)
		return
	}
	old := o.lines[i]
	switch {
	case l.outcome == survived:
		l.why = old.why
	case l.outcome != invalid && (old.outcome == survived || old.outcome == since):
		l.outcome = since
	}
	o.lines[i] = l
}

func (o *outcomes) write(file string) error {
	var b strings.Builder
	for _, l := range o.lines {
		fmt.Fprintln(&b, l)
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}

// summary counts the outcomes of the first places, and has the survivors.
func (o *outcomes) summary(all []drawn, sample int) string {
	count := make(map[string]int)
	var survivors strings.Builder
	made := 0
	for _, d := range all {
		l, ok := o.get(d.String())
		if !ok || made == sample {
			continue
		}
		count[l.outcome]++
		if l.outcome != invalid {
			made++
		}
		if l.outcome == survived {
			fmt.Fprintf(&survivors, "%v (%s:%d)\n", l, d.file, d.line)
		}
	}
	return fmt.Sprintf("%sof %d places made of %d: %v", &survivors, made, sample, count)
}

// TestOutcomesAreKept: a change that is made again keeps its line, its reason if it
// survives again, and that it survived if it does not.
func TestOutcomesAreKept(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "outcomes")
	o, err := readOutcomes(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []line{
		{survived, "a", "no caller notices"}, {survived, "b", ""}, {killed, "c", ". TestC"},
		{survived, "a", ""}, {killed, "b", ". TestB"}, {killed, "b", ". TestBB"}, {killed, "c", ". TestCC"},
	} {
		o.set(l)
	}
	if err := o.write(file); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "SURVIVED\ta\tno caller notices\nkilled since\tb\t. TestBB\nkilled\tc\t. TestCC\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
	if again, err := readOutcomes(file); err != nil || len(again.lines) != 3 {
		t.Errorf("read again: %v, %v", again, err)
	}
}

// TestOutcomes: the file has a reason for each survivor.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	o, err := readOutcomes(root + "/docs/reliability/mutations.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range o.lines {
		if l.outcome == survived && l.why == "" {
			t.Errorf("%s survived, and the file does not say why", l.what)
		}
	}
}
