package postgres

import (
	"encoding/json"
	"time"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// maxEnded bounds what a notification says of one end, in bytes. An end that takes
// more is read by those that wait for it.
const maxEnded = 2000

// ended is the end of an operation as a notification has it: what changes while
// an operation lives. Those that wait for it know the rest. It is exchanged between
// processes of different versions.
type ended struct {
	State      int16  `json:"s"`
	Attempt    int    `json:"a,omitempty"`
	Crashes    int    `json:"c,omitempty"`
	Releases   int    `json:"r,omitempty"`
	Fence      int64  `json:"f,omitempty"`
	Revision   int64  `json:"v"`
	Start      int64  `json:"b,omitempty"` // times in microseconds since 1970
	End        int64  `json:"e"`
	Cancel     int64  `json:"x,omitempty"`
	Expire     int64  `json:"p,omitempty"`
	Metadata   []byte `json:"m,omitempty"`
	Checkpoint []byte `json:"k,omitempty"`
	Result     []byte `json:"o"`
}

// encodeEnd returns the end of rec as a line has it, and false when that is too
// long.
func encodeEnd(rec *engine.Record) (string, bool) {
	metadata, err := enginekit.EncodeAny(rec.Metadata)
	if err != nil {
		return "", false
	}
	result, err := enginekit.EncodeResult(rec)
	if err != nil || rec.Damaged != "" || len(metadata)+len(rec.Checkpoint)+len(result) > maxEnded {
		return "", false
	}
	text, err := json.Marshal(ended{
		State: int16(rec.State), Attempt: rec.Attempt, Crashes: rec.Crashes, Releases: rec.Releases, Fence: rec.Fence,
		Revision: rec.Revision, Start: micros(rec.StartTime), End: micros(rec.EndTime), Cancel: micros(rec.CancelTime),
		Expire: micros(rec.ExpireTime), Metadata: metadata, Checkpoint: rec.Checkpoint, Result: result,
	})
	return string(text), err == nil && len(text) <= maxEnded
}

// decodeEnd returns a record that has what encodeEnd was given of it, and no name.
// It is nil for what encodeEnd cannot have made.
func decodeEnd(text string) *engine.Record {
	var e ended
	if json.Unmarshal([]byte(text), &e) != nil || !engine.State(e.State).Terminal() || e.End == 0 {
		return nil
	}
	metadata, err := enginekit.DecodeAny(e.Metadata)
	if err != nil {
		return nil
	}
	rec := &engine.Record{
		State: engine.State(e.State), Attempt: e.Attempt, Crashes: e.Crashes, Releases: e.Releases, Fence: e.Fence,
		Revision: e.Revision, StartTime: unmicros(e.Start), UpdateTime: unmicros(e.End), EndTime: unmicros(e.End),
		CancelTime: unmicros(e.Cancel), ExpireTime: unmicros(e.Expire), Metadata: metadata, Checkpoint: e.Checkpoint,
	}
	enginekit.DecodeResult(rec, e.Result)
	if rec.Damaged != "" {
		return nil
	}
	return rec
}

// completed returns the last record of an operation of which an earlier one is
// known.
func completed(earlier, end *engine.Record) *engine.Record {
	if end.Name != "" {
		return end
	}
	rec := *end
	rec.Name, rec.Kind, rec.Parent, rec.External = earlier.Name, earlier.Kind, earlier.Parent, earlier.External
	rec.Request, rec.RequestID, rec.Trace = earlier.Request, earlier.RequestID, earlier.Trace
	rec.CreateTime, rec.Damaged = earlier.CreateTime, earlier.Damaged
	return &rec
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func unmicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
