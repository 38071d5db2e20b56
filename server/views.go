package server

import (
	"runtime"
	"sync"
	"weak"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro/server/engine"
)

// views are the messages that were made of records which an engine keeps in
// memory, so that Get does not make them again. A message is kept as long as
// its record is, and only the latest of each operation. The zero value is ready
// to use, and all methods are safe for concurrent use.
type views struct {
	byName sync.Map // string to *keptView
}

type keptView struct {
	name string
	rec  weak.Pointer[engine.Record]
	op   *longrunningpb.Operation
}

// get returns the message that was kept of the record, nil for none.
func (v *views) get(rec *engine.Record) *longrunningpb.Operation {
	if kept, ok := v.byName.Load(rec.Name); ok {
		if kept := kept.(*keptView); kept.rec.Value() == rec {
			return kept.op
		}
	}
	return nil
}

// keep keeps the message of a record until that is garbage. The cleanup holds on to
// v, and to the whole of what v is a part of: were that the server, whose engine
// keeps the record, neither would ever be garbage.
func (v *views) keep(rec *engine.Record, op *longrunningpb.Operation) {
	kept := &keptView{name: rec.Name, rec: weak.Make(rec), op: op}
	v.byName.Store(rec.Name, kept)
	runtime.AddCleanup(rec, v.forget, kept)
}

func (v *views) forget(kept *keptView) { v.byName.CompareAndDelete(kept.name, kept) }
