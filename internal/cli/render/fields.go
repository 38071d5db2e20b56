package render

import (
	"math"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/go-lro/lro/internal/cli/term"
)

// fields looks for fields by name in a message of any type. A field of an
// unexpected type counts as absent.
type fields struct{ m protoreflect.Message }

func (f fields) get(name protoreflect.Name) (protoreflect.FieldDescriptor, protoreflect.Value, bool) {
	fd := f.m.Descriptor().Fields().ByName(name)
	if fd == nil || fd.IsList() || fd.IsMap() || !f.m.Has(fd) {
		return nil, protoreflect.Value{}, false
	}
	return fd, f.m.Get(fd), true
}

func (f fields) text(names ...protoreflect.Name) string {
	for _, name := range names {
		if fd, v, ok := f.get(name); ok && fd.Kind() == protoreflect.StringKind {
			return v.String()
		}
	}
	return ""
}

func (f fields) flag(name protoreflect.Name) bool {
	fd, v, ok := f.get(name)
	return ok && fd.Kind() == protoreflect.BoolKind && v.Bool()
}

// enum returns the name of an enum's value, or the text of a string.
func (f fields) enum(name protoreflect.Name) string {
	fd, v, ok := f.get(name)
	if !ok || fd.Kind() != protoreflect.EnumKind {
		return f.text(name)
	}
	if value := fd.Enum().Values().ByNumber(v.Enum()); value != nil {
		return string(value.Name())
	}
	return ""
}

func (f fields) time(name protoreflect.Name) time.Time {
	m, ok := f.message(name)
	if !ok || m.m.Descriptor().FullName() != "google.protobuf.Timestamp" {
		return time.Time{}
	}
	seconds, _ := m.integer("seconds")
	nanos, _ := m.integer("nanos")
	const first, last = -62135596800, 253402300799 // years 1 to 9999, as the type has them
	if seconds < first || seconds > last || nanos < 0 || nanos > 999_999_999 {
		return time.Time{}
	}
	return time.Unix(seconds, nanos).UTC()
}

func (f fields) message(name protoreflect.Name) (fields, bool) {
	fd, v, ok := f.get(name)
	if !ok || fd.Message() == nil {
		return fields{}, false
	}
	return fields{v.Message()}, true
}

// integer reads any kind of integer.
func (f fields) integer(names ...protoreflect.Name) (int64, bool) {
	for _, name := range names {
		fd, v, ok := f.get(name)
		if !ok {
			continue
		}
		switch fd.Kind() {
		case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind,
			protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
			return v.Int(), true
		case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
			return int64(min(v.Uint(), math.MaxInt64)), true
		}
	}
	return 0, false
}

func (f fields) float(name protoreflect.Name) (float64, bool) {
	fd, v, ok := f.get(name)
	if !ok || fd.Kind() != protoreflect.DoubleKind && fd.Kind() != protoreflect.FloatKind {
		return 0, false
	}
	return v.Float(), !math.IsNaN(v.Float()) && !math.IsInf(v.Float(), 0)
}

// percentNames are what services call their progress in percent.
var percentNames = []protoreflect.Name{
	"progress_percent", "progress_percentage", "percent_complete", "completion_percentage", "percent_completed",
}

// progressOf finds progress in metadata: in percent, as a count of work, or
// both, in the message itself or in one called progress.
func progressOf(m fields) term.Progress {
	p := term.Progress{Percent: -1}
	counts := m
	if inner, ok := m.message("progress"); ok {
		counts = inner
		p = percentOf(inner, p)
	}
	p = percentOf(m, p)
	p.Done, _ = counts.integer("done", "completed", "completed_work", "completed_units")
	p.Total, _ = counts.integer("total", "estimated_work", "total_work", "total_units")
	p.Done, p.Total = max(0, p.Done), max(0, p.Total)
	p.Unit, p.Text = counts.text("unit"), counts.text("message")
	if p.Percent < 0 && p.Total > 0 {
		p.Percent = int(min(float64(p.Done)/float64(p.Total), 1) * 100)
	}
	return p
}

func percentOf(m fields, p term.Progress) term.Progress {
	if n, ok := m.integer(percentNames...); ok {
		p.Percent = int(max(0, min(n, 100)))
		return p
	}
	for _, name := range percentNames {
		if x, ok := m.float(name); ok {
			p.Percent = int(max(0, min(x, 100)))
			return p
		}
	}
	if n, ok := m.integer("progress"); ok {
		p.Percent = int(max(0, min(n, 100)))
	} else if x, ok := m.float("progress"); ok && x >= 0 && x <= 1 {
		p.Percent = int(x * 100)
	}
	return p
}
