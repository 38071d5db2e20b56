// Package payload turns what operations carry, google.protobuf.Any messages of
// any type, into JSON. A type is looked up among those linked into the command,
// in descriptor sets that were read from files, and by server reflection, in
// this order. A payload of an unknown type, or one that does not decode, is
// shown by its type URL and its bytes in base64: never as a failure.
package payload
