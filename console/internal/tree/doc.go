// Package tree walks over protocol buffers of any type, known or not, for
// people to read: as the JSON mapping of protobuf ([JSON]), and as a tree of
// limited size ([Of]).
//
// What operations carry is hostile input. Nothing in it is an error: a message
// of an unknown type, or one that does not decode, is shown by its type URL and
// its bytes; strings of megabytes are cut in the tree; characters that are
// invisible or turn the direction of writing are escaped ([Visible]).
package tree
