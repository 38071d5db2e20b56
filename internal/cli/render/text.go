package render

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/internal/cli/dial"
	"github.com/go-lro/lro/internal/cli/term"
)

// maxBlock is how much of a payload a terminal is shown, in bytes. Files and
// pipes get all of it.
const maxBlock = 16 << 10

// maxField is how much people are shown of a text that an operation has, in
// bytes: status messages of megabytes exist. --output json has all of it.
const maxField = 4 << 10

func field(s string) string { return term.Short(s, maxField) }

// Text writes everything about the operation for people, to Out.
func (o *Operation) Text(ctx context.Context, io *term.IO) error {
	var b bytes.Buffer
	row := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-9s %s\n", key, value)
		}
	}
	times := Times{Terminal: io.OutTerminal, Now: time.Now()}
	row("name", term.Clean(o.Proto.GetName()))
	row("state", o.state(io))
	if e := o.Proto.GetError(); e != nil && o.Proto.GetDone() {
		row("error", errorText(codes.Code(e.GetCode()), e.GetMessage(), strings.Repeat(" ", 10)))
	}
	row("progress", progressText(o.Progress))
	row("doing", field(o.Progress.Text))
	row("message", field(o.Message))
	row("kind", field(o.Kind))
	row("target", field(o.Target))
	if o.Attempt > 1 {
		row("attempt", term.Count(o.Attempt))
	}
	row("created", times.Text(o.Created))
	row("started", times.Text(o.Started))
	row("ended", times.Text(o.Ended))
	if took := o.Ended.Sub(o.Started); !o.Started.IsZero() && took >= 0 {
		row("took", term.Duration(took))
	}
	for _, p := range o.partials {
		row("partial", errorText(p.code, p.message, strings.Repeat(" ", 10)))
	}
	if o.Proto.GetDone() {
		for _, d := range o.Proto.GetError().GetDetails() {
			o.block(ctx, &b, io, "detail", d)
		}
		o.block(ctx, &b, io, "response", o.Proto.GetResponse())
	}
	if !o.known && !proto.Equal(o.Proto.GetMetadata(), o.Proto.GetResponse()) { // those of Compute Engine are the same
		o.block(ctx, &b, io, "metadata", o.Proto.GetMetadata())
	}
	_, err := io.Out.Write(b.Bytes())
	return err
}

// block writes a payload: its type, and its JSON below.
func (o *Operation) block(ctx context.Context, w io.Writer, io *term.IO, key string, any *anypb.Any) {
	if any == nil {
		return
	}
	note := ""
	if !o.types.Shows(ctx, any) {
		note = "  (unknown type: --descriptor-set FILE decodes it)"
	}
	fmt.Fprintf(w, "%-9s %s%s\n", key, term.Clean(typeName(o.types.TypeURL(any))), note)
	text := o.types.JSON(ctx, any)
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) == nil && len(members) == 1 && members["@type"] != nil {
		return // nothing but the type
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, withoutType(text), "  ", "  "); err != nil {
		return // it was made by our own encoder
	}
	shown := term.CleanJSON(indented.Bytes())
	if io.OutTerminal && len(shown) > maxBlock {
		fmt.Fprintf(w, "  %s\n  ... %s bytes in total: --output json shows all\n",
			bytes.ToValidUTF8(shown[:maxBlock], nil), term.Count(int64(len(shown))))
		return
	}
	fmt.Fprintf(w, "  %s\n", shown)
}

// withoutType takes the member "@type" off: it stands above the block.
func withoutType(text json.RawMessage) json.RawMessage {
	const start = `{"@type":`
	if !bytes.HasPrefix(text, []byte(start)) {
		return text
	}
	var url string
	d := json.NewDecoder(bytes.NewReader(text[len(start):]))
	if d.Decode(&url) != nil {
		return text
	}
	rest := bytes.TrimPrefix(text[int64(len(start))+d.InputOffset():], []byte(","))
	return append(json.RawMessage("{"), rest...)
}

func typeName(url string) string {
	return url[strings.LastIndexByte(url, '/')+1:]
}

func errorText(code codes.Code, message, indent string) string {
	text := dial.CodeName(code)
	if message != "" {
		if len(message) > maxField {
			message = message[:maxField] + "..."
		}
		text += ": " + term.CleanLines(message, indent)
	}
	return text
}

// state is the state with its color.
func (o *Operation) state(io *term.IO) string {
	text := paint(io, o.State)
	if o.CancelRequested && !o.Proto.GetDone() {
		text += " (cancel requested)"
	}
	return text
}

// paint colors a state on a terminal.
func paint(io *term.IO, state string) string {
	if !io.OutTerminal || !io.Color {
		return state
	}
	color := map[string]string{Succeeded: "32", Failed: "31", Cancelled: "33", Running: "36"}[state]
	if color == "" {
		return state
	}
	return "\x1b[" + color + "m" + state + "\x1b[0m"
}

func progressText(p term.Progress) string {
	var parts []string
	if p.Percent >= 0 {
		parts = append(parts, fmt.Sprintf("%d%%", p.Percent))
	}
	switch {
	case p.Total > 0:
		parts = append(parts, fmt.Sprintf("%s of %s %s", term.Count(p.Done), term.Count(p.Total), field(p.Unit)))
	case p.Done > 0:
		parts = append(parts, fmt.Sprintf("%s %s", term.Count(p.Done), field(p.Unit)))
	}
	return strings.TrimSpace(strings.Join(parts, "  "))
}

// Times shows times: as an age on a terminal, exactly elsewhere.
type Times struct {
	Terminal bool
	Now      time.Time
}

// maxSkew is by how much the clocks of a service and of this machine may differ
// for a time to be shown as an age.
const maxSkew = time.Minute

// Text returns a time in the past for people; empty for the zero time. What lies
// further ahead than clocks differ is shown exactly.
func (t Times) Text(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	age := t.Now.Sub(at)
	if !t.Terminal || age < -maxSkew {
		return at.UTC().Format(time.RFC3339Nano)
	}
	return term.Seconds(max(0, age)) + " ago"
}

// Line is how an operation stands, in one line.
func (o *Operation) Line(io *term.IO) string {
	text := fmt.Sprintf("%s  %s", term.Clean(o.Proto.GetName()), o.state(io))
	if e := o.Proto.GetError(); e != nil && o.Proto.GetDone() {
		text += "  " + dial.CodeName(codes.Code(e.GetCode())) + ": " + field(e.GetMessage())
	}
	return text
}

// Change is the state and the progress of an operation, in one line.
func (o *Operation) Change(io *term.IO) string {
	if o.Proto.GetDone() {
		return o.Line(io)
	}
	parts := []string{term.Clean(o.Proto.GetName()), paint(io, o.State)}
	for _, s := range []string{progressText(o.Progress), field(o.Meter().Text)} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, "  ")
}
