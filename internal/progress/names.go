package progress

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Names of fields, the more telling ones first. They are those of the messages
// called Operation, Metadata or Progress in Google's APIs, and of what services
// outside of Google call the same things.
var (
	// commonNames hold the message that all operations of a service share.
	commonNames = []string{"common_metadata", "generic_metadata", "common"}

	percentNames = []string{
		"progress_percent", "progress_percentage", "percent_complete", "percent_completed", "percent_done",
		"completion_percentage", "completion_percent",
	}
	doneNames  = []string{"done", "completed", "completed_work", "work_completed", "completed_units"}
	totalNames = []string{"total", "estimated_work", "work_estimated", "total_work", "total_units", "total_count"}

	stateNames   = []string{"state", "operation_state", "status", "processing_status"}
	kindNames    = []string{"verb", "operation_type", "api_method_name", "method"}
	targetNames  = []string{"target", "target_resource_name", "target_link"}
	messageNames = []string{
		"status_message", "status_detail", "status_details", "state_message", "progress_message", "ephemeral_message", "detail",
		"message",
	}
	stepNames = []string{"message", "description"} // of progress

	createdNames = []string{"create_time", "creation_time", "insert_time", "submit_time", "request_time"}
	startedNames = []string{"start_time"}
	updatedNames = []string{"update_time", "last_update_time"}
	endedNames   = []string{"end_time", "finish_time", "complete_time", "done_time"}
)

// read takes the facts out of metadata: from its own fields, then from those of
// the common message in it, and times and state at last from its progress.
func read(m object) Facts {
	levels := []object{m}
	for _, name := range commonNames {
		if common, ok := m.get(name).(object); ok {
			levels = append(levels, common)
		}
	}
	f := Facts{
		Kind: text(levels, kindNames), Target: text(levels, targetNames), Message: text(levels, messageNames),
		CancelRequested: flag(levels, "requested_cancellation") || flag(levels, "cancel_requested") ||
			!moment(levels, []string{"cancel_time"}).IsZero(),
	}
	f.Attempt, _ = integer(m.get("attempt"))
	f.measure(levels)
	if inner, ok := m.get("progress").(object); ok {
		levels = append(levels, inner)
	}
	f.Created, f.Started = moment(levels, createdNames), moment(levels, startedNames)
	f.Updated, f.Ended = moment(levels, updatedNames), moment(levels, endedNames)
	f.readState(levels)
	return f
}

func (f *Facts) readState(levels []object) {
	for _, o := range levels {
		for _, name := range stateNames {
			v := o.get(name)
			if inner, ok := v.(object); ok {
				v = inner.get("state")
			}
			word, ok := v.(string)
			if !ok {
				continue
			}
			state, cancelling := stateOf(word)
			f.CancelRequested = f.CancelRequested || cancelling
			if f.State == Unknown {
				f.State = state
			}
		}
	}
}

// stateOf understands the values of a service's enum, which may have a prefix.
func stateOf(name string) (state State, cancelling bool) {
	name = strings.ToUpper(name)
	ends := func(suffix string) bool { return strings.HasSuffix(name, suffix) }
	switch {
	case slices.ContainsFunc([]string{"PENDING", "QUEUED", "WAITING", "NOT_STARTED", "INITIALIZING"}, ends):
		return Pending, false
	case slices.ContainsFunc([]string{"RUNNING", "PROCESSING", "IN_PROGRESS", "FINALIZING"}, ends):
		return Running, false
	case slices.ContainsFunc([]string{"CANCELLING", "CANCELING", "ABORTING"}, ends):
		return Running, true
	}
	return Unknown, false
}

// measured is the progress that one message has.
type measured struct {
	percent     float64 // negative when it is not known
	done, total int64
	unit, step  string
}

// measure finds the progress: in percent, as a count of work, or both, in the
// metadata itself or in a field named after it.
func (f *Facts) measure(levels []object) {
	f.Percent = -1
	for _, level := range levels {
		f.take(measuredIn(level, ""))
		f.take(innerOf("progress", level.get("progress")))
		for _, name := range level.names() {
			if name != "progress" && (strings.HasPrefix(name, "progress_") || strings.HasSuffix(name, "_progress")) {
				f.take(innerOf(name, level.get(name)))
			}
		}
	}
	if f.Percent < 0 && f.Total > 0 {
		f.Percent = share(f.Done, f.Total)
	}
}

// take adds what was not known before.
func (f *Facts) take(m measured) {
	if f.Percent < 0 {
		f.Percent = m.percent
	}
	if f.Total == 0 && (m.total > 0 || f.Done == 0 && f.Unit == "") {
		f.Done, f.Total, f.Unit = m.done, m.total, m.unit
	}
	if f.Step == "" {
		f.Step = m.step
	}
}

// innerOf measures a field that holds progress: a message, or a list of which
// the parts count the same.
func innerOf(name string, v any) measured {
	switch v := v.(type) {
	case object:
		unit := strings.TrimSuffix(strings.TrimPrefix(name, "progress_"), "_progress")
		if unit == "progress" || strings.HasPrefix(unit, "percent") {
			unit = ""
		}
		m := measuredIn(v, unit)
		if metrics, ok := v.get("metrics").([]object); ok && m.percent < 0 && m.total == 0 {
			m = measuredBy(metrics)
		}
		m.step = text([]object{v}, stepNames)
		return m
	case []object:
		sum := 0.0
		for _, part := range v {
			m := measuredIn(part, "")
			if m.percent < 0 && m.total > 0 {
				m.percent = share(m.done, m.total)
			}
			sum += max(0, m.percent)
		}
		if sum > 0 {
			return measured{percent: sum / float64(len(v))}
		}
	}
	return measured{percent: -1}
}

// measuredBy measures a list of named metrics, as GKE has it: "nodes done" and
// "nodes total", or "progress" and "progress scale", which is 1 by default.
func measuredBy(metrics []object) measured {
	m := measured{percent: -1}
	values := map[string]any{}
	for _, o := range metrics {
		name := strings.ReplaceAll(strings.ToLower(text([]object{o}, []string{"name"})), "_", " ")
		for _, field := range []string{"int_value", "double_value", "string_value"} {
			if v := o.get(field); v != nil {
				values[name] = v
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		total, counts := integer(values[name])
		if unit, ok := strings.CutSuffix(name, " total"); ok && counts && total > m.total {
			done, _ := integer(values[unit+" done"])
			m.done, m.total, m.unit = max(0, done), total, unit
		}
	}
	for _, name := range percentNames {
		if x, _, ok := number(values[strings.ReplaceAll(name, "_", " ")]); ok && x > 0 {
			m.percent = min(x, 100)
			return m
		}
	}
	scale, _, ok := number(values["progress scale"])
	if !ok || scale <= 0 {
		scale = 1
	}
	if x, _, ok := number(values["progress"]); ok && x > 0 {
		m.percent = 100 * min(x/scale, 1)
	}
	return m
}

// measuredIn measures a message. unit is what it counts unless it says so.
func measuredIn(o object, unit string) measured {
	m := measured{percent: percentOf(o)}
	m.done, m.total = count(o, doneNames), count(o, totalNames)
	if m.done == 0 {
		m.done = count(o, []string{"success_count"}) + count(o, []string{"failure_count"})
	}
	m.done = max(0, m.done) // the sum overflowed
	if said := text([]object{o}, []string{"unit"}); said != "" {
		unit = said
	} else if m.done == 0 && m.total == 0 {
		unit = ""
	}
	m.unit = unit
	return m
}

func percentOf(o object) float64 {
	for _, name := range percentNames {
		if x, _, ok := number(o.get(name)); ok && x > 0 {
			return min(x, 100)
		}
	}
	x, whole, ok := number(o.get("progress"))
	switch {
	case !ok || x <= 0:
		return -1
	case x <= 1 && !whole:
		return 100 * x // a fraction
	}
	return min(x, 100)
}

func share(done, total int64) float64 {
	return min(float64(done)*100/float64(total), 100)
}

func count(o object, names []string) int64 {
	for _, name := range names {
		if n, ok := integer(o.get(name)); ok && n > 0 {
			return n
		}
	}
	return 0
}

func text(levels []object, names []string) string {
	for _, o := range levels {
		for _, name := range names {
			if s, ok := o.get(name).(string); ok && s != "" && !strings.HasSuffix(s, "_UNSPECIFIED") {
				return s
			}
		}
	}
	return ""
}

func flag(levels []object, name string) bool {
	return slices.ContainsFunc(levels, func(o object) bool { return o.get(name) == true })
}

func moment(levels []object, names []string) time.Time {
	for _, o := range levels {
		for _, name := range names {
			if t := timeOf(o.get(name)); !t.IsZero() {
				return t
			}
		}
	}
	return time.Time{}
}

// timeOf also takes a time that is a text: the operations of Compute have those.
func timeOf(v any) time.Time {
	t, ok := v.(time.Time)
	if s, isText := v.(string); isText {
		var err error
		t, err = time.Parse(time.RFC3339Nano, s)
		ok = err == nil
	}
	t = t.UTC()
	if !ok || t.Year() < 1 || t.Year() > 9999 || t.Unix() == 0 && t.Nanosecond() == 0 {
		return time.Time{}
	}
	return t
}

// number reads a number that is finite, and whether its type, or for JSON its
// value, is that of an integer.
func number(v any) (x float64, whole, ok bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true, true
	case float64:
		return v, false, !math.IsNaN(v) && !math.IsInf(v, 0)
	case jsonNumber:
		return float64(v), float64(v) == math.Trunc(float64(v)), true
	case string:
		return parsed(v)
	}
	return 0, false, false
}

func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case jsonNumber:
		return wholeOf(float64(v))
	case string:
		return parsedInt(v)
	}
	return 0, false
}
