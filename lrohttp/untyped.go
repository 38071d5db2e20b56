package lrohttp

import (
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/internal/progress"
)

// Untyped returns the JSON of an Any that was read from JSON and whose type is
// not linked into the program, or whose JSON does not fit the type. Without its
// descriptor a message cannot be made from its JSON, so such an Any is kept as an
// Any within an Any: the inner one is a google.protobuf.StringValue of the JSON,
// "@type" included. It does not have the type that the service named, since a
// caller that trusts the type of an Any must not get other bytes than that type's,
// nor the type StringValue, so that it is not taken for a StringValue.
//
// Untyped returns the type URL that the service sent, empty when it sent none,
// and the JSON without spaces. It reports false for any other Any.
func Untyped(a *anypb.Any) (typeURL string, text []byte, ok bool) { return progress.Kept(a) }
