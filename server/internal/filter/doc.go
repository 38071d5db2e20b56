// Package filter understands the filters of ListOperations: AIP-160 with the
// dialect in which operations are filtered in practice (that of Cloud
// Spanner's Database Admin API), parsed by go.einride.tech/aip.
//
// # Fields
//
// name, done, error and response are those of google.longrunning.Operation,
// metadata too. metadata, response and the details of an error hold messages of
// any type: "@type" is their type URL, and a field of theirs is looked up in the
// message each operation has, so a filter can span kinds. kind, state,
// create_time, start_time, update_time, end_time and expire_time are known of
// every operation, whatever its metadata.
//
// # Rules
//
//   - Terms next to each other, and terms joined by AND, must all hold. OR binds
//     tighter than AND. NOT and "-" negate the term behind them.
//   - "=" and "!=" compare text without regard to case, "*" in it stands for
//     any characters. ":" finds text within text, a value in a repeated field
//     or a key in a map; elsewhere it is "=". "field:*" reports whether a field
//     is set.
//   - "<", "<=", ">" and ">=" order numbers, timestamps (RFC 3339), durations
//     ("20s") and text.
//   - A message that is not set matches no comparison, not even "!=".
//   - A field of a repeated message needs ":" and matches if any element does.
//   - kind is compared with regard to case, since kinds differ by it. What stands
//     behind the last dot of a registered kind is enough, if no other has it.
//   - A value may be bare or quoted; it is read as the type of its field.
//
// A filter has at most [MaxLength] bytes, [MaxTerms] comparisons and
// [MaxDepth] nested parentheses.
package filter
