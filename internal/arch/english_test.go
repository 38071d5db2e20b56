package arch

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// odd are phrases that a reader stumbles over, and what to write instead.
var odd = map[string]string{
	`put(s|ting)? up with`:              "tolerate, retry",
	`ask(s|ed|ing)? nobody`:             "make no call",
	`such as (have|has)\b`:              "operations that have",
	`who(m)?ever`:                       "a caller that, everyone who, no matter which",
	`(go|goes|going) on waiting`:        "resume or continue waiting",
	`bear(s)? being (run|called|asked)`: "be safe to run again",
	`how far (it|that|an operation) is`: "progress",
	`(is|are|be) of no use`:             "do not help",
	`in front of [a-z ]{1,30} stands`:   "behind a reverse proxy",
	`for everybody'?s?`:                 "for any caller",
	`(to|is) blame|was to blame`:        "the cause",
	`what has ended|such as have ended`: "operations that are done",

	// A program calls or polls; it does not ask people.
	`without asking any(body|one)|ask(s|ed)? nothing`: "without a call",
	`ask(s|ing)? (\w+ ){0,2}again and again`:          "poll",
	`(says?|tells?) whom`:                             "show the address that is called",
	`whom (the|it|this) ask`:                          "the service that is called",

	// What happens has a subject and a plain verb.
	`twice leaves`:                      "a second Ctrl-C exits",
	`tell(s)? (some|every)body`:         "report to the caller, show to the user",
	`(is|are|was|were) not to be had`:   "not available",
	`for want of`:                       "without",
	`goes on unseen`:                    "continues unseen",
	`while (some|no)body (looks|waits)`: "while a page is open, while a caller waits",
	`which is made where there is none`: "which is created if it does not exist",
	`leaves? no use for`:                "cannot be used with",
	`has no use for`:                    "does not take",
	`with nothing learned`:              "without learning",
}

// words are the files that people read.
var words = []string{".go", ".md", ".proto", ".html", ".js", ".css", ".json", ".txtar", ".sh", ".yml", ".yaml"}

// TestEnglish: no text has a phrase that a native engineer would not write.
func TestEnglish(t *testing.T) {
	t.Parallel()
	patterns := map[string]*regexp.Regexp{}
	for p := range odd {
		patterns[p] = regexp.MustCompile(`(?i)\b(` + p + `)`)
	}
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"node_modules", "third_party"}, d.Name())):
			return fs.SkipDir
		case d.IsDir() || !slices.Contains(words, filepath.Ext(path)) || d.Name() == "english_test.go":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for p, re := range patterns {
			for _, at := range re.FindAllIndex(text, -1) {
				line := 1 + strings.Count(string(text[:at[0]]), "\n")
				t.Errorf("%s:%d says %q; say: %s", path, line, text[at[0]:at[1]], odd[p])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 500 {
		t.Errorf("read %d files, want those of the whole repository", files)
	}
}
