package lro

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"
	"unsafe"
	"weak"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// A program that copies a Method to change its Policy for one call leaves
// nothing behind, and operations of one method share their policy.
func TestPoliciesForOneCall(t *testing.T) {
	t.Parallel()
	client := NewClient(GetFunc(func(context.Context, string) (*longrunningpb.Operation, error) {
		return nil, errors.New("not called")
	}))
	shared := Any()
	shared.Policy = &Policy{FirstPoll: 10 * time.Second}
	first, err := shared.Resume(client, "operations/first")
	if err != nil {
		t.Fatal(err)
	}

	const calls = 1000
	policies := make([]weak.Pointer[Policy], calls)
	for i := range policies {
		m := Any()
		m.Policy = &Policy{FirstPoll: time.Second}
		policies[i] = weak.Make(m.Policy)
		op, err := m.Resume(client, fmt.Sprintf("operations/%d", i))
		if err != nil {
			t.Fatal(err)
		}
		if op.policy.FirstPoll != time.Second {
			t.Fatalf("operation %d has FirstPoll %v, want that of its method", i, op.policy.FirstPoll)
		}
	}
	runtime.GC()
	runtime.GC()
	var kept int
	for _, p := range policies {
		if p.Value() != nil {
			kept++
		}
	}
	if kept > recentOrigins {
		t.Errorf("the client keeps %d of %d policies, want at most %d", kept, calls, recentOrigins)
	}

	second, err := shared.Resume(client, "operations/second")
	if err != nil {
		t.Fatal(err)
	}
	third, err := shared.Resume(client, "operations/third")
	if err != nil {
		t.Fatal(err)
	}
	if second.origin != third.origin {
		t.Error("two operations of one method, made one after the other, have an origin each")
	}
	if first.policy.FirstPoll != 10*time.Second || second.policy.FirstPoll != 10*time.Second {
		t.Errorf("the shared method's FirstPoll is %v and %v, want 10s", first.policy.FirstPoll, second.policy.FirstPoll)
	}
	runtime.KeepAlive(client)
}

// A state is kept without the operation's name, and shown as it was sent.
func TestProtoIsAsSent(t *testing.T) {
	t.Parallel()
	unknown := protowire.AppendString(protowire.AppendTag(nil, 1000, protowire.BytesType), "of a later version")
	for _, name := range []string{"operations/one", "operations/another", ""} {
		sent := &longrunningpb.Operation{Name: name, Metadata: &anypb.Any{TypeUrl: "example.com/a.B", Value: []byte{8, 1}}}
		sent.ProtoReflect().SetUnknown(unknown)
		client := NewClient(GetFunc(func(context.Context, string) (*longrunningpb.Operation, error) { return sent, nil }))
		op, err := Any().Resume(client, "operations/one")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := proto.CloneOf(sent)
		if name == "" {
			want.Name = "operations/one"
		}
		if got := op.Snapshot().Proto(); !proto.Equal(got, want) {
			t.Errorf("Proto is %v, want %v", got, want)
		}
		if bytes.Contains(op.known().wire, []byte("operations/one")) {
			t.Error("the state repeats the operation's name")
		}
	}
}

// A group may hold a million operations.
func TestSizeOfOperation(t *testing.T) {
	t.Parallel()
	// Size classes of the allocator end at 176 and 32.
	if size := unsafe.Sizeof(core{}); size > 176 {
		t.Errorf("an operation takes %d B, want at most 176", size)
	}
	if size := unsafe.Sizeof(member{}); size > 32 {
		t.Errorf("a member of a group takes %d B, want at most 32", size)
	}
}
