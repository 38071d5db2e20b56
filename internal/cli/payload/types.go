package payload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	// Types that operations of many services carry.
	_ "cloud.google.com/go/longrunning/autogen/longrunningpb"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
	_ "google.golang.org/protobuf/types/known/durationpb"
	_ "google.golang.org/protobuf/types/known/emptypb"
	_ "google.golang.org/protobuf/types/known/fieldmaskpb"
	_ "google.golang.org/protobuf/types/known/structpb"
	_ "google.golang.org/protobuf/types/known/timestamppb"
	_ "google.golang.org/protobuf/types/known/wrapperspb"

	_ "github.com/go-lro/lro/lropb"
)

// Source finds the files that define a message, dependencies included. A
// message it does not know is [protoregistry.NotFound].
type Source interface {
	Files(ctx context.Context, message protoreflect.FullName) (*descriptorpb.FileDescriptorSet, error)
}

// Types finds message types. The zero value knows those that are linked. It
// is not safe for concurrent use.
type Types struct {
	local    Local
	source   Source
	asked    map[protoreflect.FullName]bool // of the source
	failed   error                          // why the source is not asked any more
	fromJSON bool
}

// AddFile reads a serialised google.protobuf.FileDescriptorSet, as protoc
// writes it with --descriptor_set_out and --include_imports.
func (t *Types) AddFile(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(text, set); err != nil || len(set.GetFile()) == 0 {
		return fmt.Errorf("%q is not a descriptor set; protoc makes one with --descriptor_set_out and --include_imports", path)
	}
	if err := t.add(set); err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	return nil
}

func (t *Types) add(set *descriptorpb.FileDescriptorSet) error {
	// A set without all its imports still defines most of its messages.
	files, err := protodesc.FileOptions{AllowUnresolvable: true}.NewFiles(completed(set))
	if err != nil {
		return err
	}
	t.local.sets = append(t.local.sets, dynamicpb.NewTypes(files))
	return nil
}

// completed returns set with the imports it lacks, as far as they are linked.
// Files of the package google.protobuf are those that are linked, whatever the
// set says: JSON has rules for their messages, which must be what they seem.
func completed(set *descriptorpb.FileDescriptorSet) *descriptorpb.FileDescriptorSet {
	out := &descriptorpb.FileDescriptorSet{}
	have := map[string]bool{}
	queue := []string{}
	for _, f := range set.GetFile() {
		if f.GetPackage() == "google.protobuf" {
			queue = append(queue, f.GetName())
			continue
		}
		have[f.GetName()] = true
		out.File = append(out.File, f)
		queue = append(queue, f.GetDependency()...)
	}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if have[name] {
			continue
		}
		have[name] = true
		fd, err := protoregistry.GlobalFiles.FindFileByPath(name)
		if err != nil {
			continue
		}
		f := protodesc.ToFileDescriptorProto(fd)
		out.File = append(out.File, f)
		queue = append(queue, f.GetDependency()...)
	}
	return out
}

// Local returns the types that are known now, without a call.
func (t *Types) Local() Local { return Local{slices.Clip(t.local.sets)} }

// FromJSON says that payloads were read from JSON, so that those of unknown
// types are kept as package lrohttp keeps them.
func (t *Types) FromJSON() { t.fromJSON = true }

// SetSource sets the source of types that are not known otherwise, about all of
// them again.
func (t *Types) SetSource(s Source) { t.source, t.asked, t.failed = s, nil, nil }

// SourceErr returns why the source could not be asked, nil while it answers.
func (t *Types) SourceErr() error { return t.failed }

// find returns the type that a URL names, asking the source at most once for
// each. It is [protoregistry.NotFound] if no source knows it.
func (t *Types) find(ctx context.Context, url string) (protoreflect.MessageType, error) {
	name := nameOf(url)
	if !name.IsValid() {
		return nil, protoregistry.NotFound
	}
	if mt, err := t.known(name); err == nil {
		return mt, nil
	}
	if t.source == nil || t.failed != nil || t.asked[name] {
		return nil, protoregistry.NotFound
	}
	if t.asked == nil {
		t.asked = map[protoreflect.FullName]bool{}
	}
	t.asked[name] = true
	set, err := t.source.Files(ctx, name)
	switch {
	case errors.Is(err, protoregistry.NotFound):
		return nil, err
	case err != nil:
		t.failed = err
		return nil, protoregistry.NotFound
	}
	if err := t.add(set); err != nil {
		t.failed = err
		return nil, protoregistry.NotFound
	}
	return t.known(name)
}

// known looks up a type without a call.
func (t *Types) known(name protoreflect.FullName) (protoreflect.MessageType, error) {
	return t.local.FindMessageByName(name)
}
