package lrotest

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro"
)

// Operation returns an operation of the method that plays a script, for code
// that takes an operation. It is known to be in the state of the first step, as
// if a call had just returned it:
//
//	lrotest.Operation(ExportBooks, lrotest.Running(progress))       // not done
//	lrotest.Operation(ExportBooks, lrotest.Succeeded(response))     // done
//	lrotest.Operation(ExportBooks, lrotest.Failed(code, message))   // failed
//	lrotest.Operation(ExportBooks, lrotest.Cancelled())             // cancelled
//
// A server of its own answers when it is waited for or cancelled. Use a
// [Server] to see the calls, or to choose the name. It panics when m is not
// usable, such as for types that an operation cannot have.
func Operation[R, M proto.Message](m lro.Method[R, M], steps ...Step) *lro.Operation[R, M] {
	var srv Server
	op, err := m.Wrap(lro.NewClient(srv.Stub()), srv.Add("", steps...).Proto())
	if err != nil {
		panic(fmt.Sprintf("lrotest: Operation: %v", err))
	}
	return op
}
