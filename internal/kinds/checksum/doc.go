// Package checksum has the kind "checksum": it computes SHA-256 of every
// regular file under a directory, and one digest over all of them.
//
// It is real work to look at: it takes a while, counts what it does, keeps
// durable checkpoints, resumes from the last one after a crash, and stops at
// once when it is cancelled. On a machine with coreutils,
//
//	find . -type f -exec sha256sum {} + | cut -d' ' -f1 | LC_ALL=C sort | sha256sum
//
// prints the same digest.
//
// Symbolic links are not followed, except that the directory itself may be one.
// A file that disappears while the operation runs is left out and named in the
// metadata's partial_errors. One that cannot be read fails the operation with
// an error that names it: a digest without it would look right and be wrong.
// The files of an earlier attempt are not read again, so each file counts as it
// was when it was read.
package checksum
