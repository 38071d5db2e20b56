package server

import (
	"errors"
	"fmt"
	"strings"
)

// collection is the segment before an operation's ID.
const collection = "operations"

// maxName bounds resource names, in bytes.
const maxName = 1024

// checkName refuses what cannot be the name of an operation, as opposed to one
// that merely does not exist. Its errors, like those of the other checks, are
// predicates: the caller puts the noun before them.
func checkName(name string) error {
	if len(name) > maxName {
		return fmt.Errorf("has %d bytes, more than %d", len(name), maxName)
	}
	slash := strings.LastIndexByte(name, '/')
	if slash < 0 {
		return errors.New("does not end in operations/{id}")
	}
	if err := checkSegment(name[slash+1:]); err != nil {
		return err
	}
	if name[:slash] == collection {
		return nil
	}
	parent, ok := strings.CutSuffix(name[:slash], "/"+collection)
	if !ok {
		return errors.New("does not end in operations/{id}")
	}
	return checkParent(parent)
}

// checkParent refuses what cannot be the name of a resource.
func checkParent(parent string) error {
	if len(parent) > maxName {
		return fmt.Errorf("has %d bytes, more than %d", len(parent), maxName)
	}
	for segment := range strings.SplitSeq(parent, "/") {
		if err := checkSegment(segment); err != nil {
			return err
		}
	}
	return nil
}

// checkStartParent refuses parents that could not be listed again.
func checkStartParent(parent string) error {
	for segment := range strings.SplitSeq(parent, "/") {
		if segment == wildcard {
			return errors.New("has a wildcard")
		}
	}
	if parent == collection || strings.HasSuffix(parent, "/"+collection) {
		return errors.New("ends in operations")
	}
	return checkParent(parent)
}

// checkSegment allows the visible characters of ASCII but those that mean
// something in a URL's path or in a name's pattern.
func checkSegment(segment string) error {
	switch segment {
	case "":
		return errors.New("has an empty segment")
	case ".", "..":
		return fmt.Errorf("has a segment %q", segment)
	}
	for _, c := range segment {
		if c <= ' ' || c >= 0x7f || strings.ContainsRune(`"#%*<>?\^{|}`+"`", c) {
			return fmt.Errorf("has the character %q", c)
		}
	}
	return nil
}

// parentOf returns the parent that the name in a List request stands for.
// Clients send the parent itself, or the collection under it; the collection of
// top-level operations is "operations".
func parentOf(name string) (string, error) {
	if name == "" || name == collection {
		return "", nil
	}
	parent := strings.TrimSuffix(name, "/"+collection)
	return parent, checkParent(parent)
}
