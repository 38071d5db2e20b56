package console

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro/console/internal/tree"
	"github.com/go-lro/lro/lropb"
)

// Limits of what a row shows of a text, in characters.
const (
	maxRowText = 160
	maxRowName = 200
)

// row is one operation in a list.
type row struct {
	ID       string // of its element
	Name     string
	Short    string // last segment of the name
	Parent   string // what stands before /operations/
	State    stage
	Kind     string
	KindFrom string
	Target   string
	Message  string
	Progress meter
	Created  moment
	Duration duration
	Gone     bool // it does not exist any more
}

// stage is a state on a page.
type stage struct {
	Key   string // for styles
	Label string
}

func stageOf(s State, cancelled bool) stage {
	switch s {
	case lropb.OperationMetadata_PENDING:
		return stage{"pending", "Pending"}
	case lropb.OperationMetadata_RUNNING:
		if cancelled {
			return stage{"running", "Cancelling"}
		}
		return stage{"running", "Running"}
	case lropb.OperationMetadata_SUCCEEDED:
		return stage{"succeeded", "Succeeded"}
	case lropb.OperationMetadata_FAILED:
		return stage{"failed", "Failed"}
	case lropb.OperationMetadata_CANCELLED:
		return stage{"cancelled", "Cancelled"}
	}
	if cancelled {
		return stage{"running", "Cancelling"}
	}
	return stage{"running", "Active"}
}

// meter is the progress of an operation.
type meter struct {
	Percent int    // -1 when not known
	Count   string // such as "3 of 10 files"; may be empty
	Step    string
	Key     string // of the state, for styles
	Done    bool
	Started bool // there is something to show
}

func meterOf(f *facts) meter {
	p := meter{Percent: f.percent, Step: tree.Line(clip(f.step, maxRowText)), Key: stageOf(f.state, false).Key, Done: f.isDone()}
	unit := ""
	if f.unit != "" {
		unit = " " + tree.Line(clip(f.unit, 40))
	}
	switch {
	case f.total > 0:
		p.Count = fmt.Sprintf("%s of %s%s", count(f.done), count(f.total), unit)
	case f.done > 0:
		p.Count = count(f.done) + unit
	}
	p.Started = f.state == lropb.OperationMetadata_RUNNING || f.state == stateActive || p.Percent >= 0 || p.Count != ""
	return p
}

// duration is how long an operation took, or takes so far.
type duration struct {
	Since moment // it still runs; console.js keeps counting
	Text  string
}

func durationOf(f *facts) duration {
	if f.isDone() {
		if d := f.took(); d >= 0 {
			return duration{Text: span(d)}
		}
		return duration{}
	}
	if f.started.IsZero() {
		return duration{}
	}
	return duration{Since: moment{f.started}, Text: span(time.Since(f.started))}
}

// rowOf makes a row. Metadata of megabytes is left to the operation's own page.
func (h *Handler) rowOf(ctx context.Context, op Operation) row {
	light := op
	if tooLarge(op.Message.GetMetadata()) {
		light.Message = withoutMetadata(op.Message)
	}
	f := h.factsOf(ctx, light)
	r := row{
		ID: elementID(f.name), Name: f.name,
		State: stageOf(f.state, f.cancelled), Kind: tree.Line(clip(f.kind, maxRowText)), KindFrom: f.kindFrom,
		Target: tree.Line(clip(f.target, maxRowText)), Message: tree.Line(clip(f.message, maxRowText)),
		Progress: meterOf(&f), Created: moment{f.created}, Duration: durationOf(&f),
	}
	r.Parent, r.Short = splitName(f.name)
	if e := op.Message.GetError(); e != nil {
		r.Message = tree.Line(clip(e.GetMessage(), maxRowText))
		if code := codes.Code(e.GetCode()); code != codes.Canceled || r.Message == "" {
			r.Message = strings.TrimSuffix(codeName(code)+": "+r.Message, ": ")
		}
	}
	return r
}

// splitName returns what people tell operations apart by, and where it lies.
func splitName(name string) (parent, short string) {
	i := strings.LastIndexByte(name, '/')
	if i < 0 || i == len(name)-1 {
		return "", tree.Line(clip(name, maxRowName))
	}
	parent = strings.TrimSuffix(strings.TrimSuffix(name[:i], "operations"), "/")
	return tree.Line(clip(parent, maxRowName)), tree.Line(clip(name[i+1:], maxRowName))
}

// elementID is a name that fits into an attribute, whatever the operation is
// called.
func elementID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "op-" + base64.RawURLEncoding.EncodeToString(sum[:12])
}

// clip cuts text that is longer than n characters.
func clip(text string, n int) string {
	head, rest := tree.Cut(text, n)
	if rest > 0 {
		return head + "…"
	}
	return head
}
