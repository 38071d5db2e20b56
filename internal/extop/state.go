package extop

import (
	"fmt"
	"net/http"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/internal/rpccode"
)

// Operation returns an extended operation as a google.longrunning one: it is its
// own metadata, and its own response when it has succeeded.
func (r Roles) Operation(name string, m proto.Message) (*longrunningpb.Operation, error) {
	packed, err := anypb.New(m)
	if err != nil {
		return nil, fmt.Errorf("encode operation %q: %w", name, err)
	}
	op := &longrunningpb.Operation{Name: name, Metadata: packed}
	msg := m.ProtoReflect()
	if !r.Done(msg) {
		return op, nil
	}
	op.Done = true
	failed, err := r.failure(msg)
	if err != nil {
		return nil, fmt.Errorf("encode error of operation %q: %w", name, err)
	}
	if failed != nil {
		op.Result = &longrunningpb.Operation_Error{Error: failed}
	} else {
		op.Result = &longrunningpb.Operation_Response{Response: packed}
	}
	return op, nil
}

// failure returns what a done operation failed with, nil for nothing. Any of an
// HTTP status that is no success, an error message without a status, and an entry in
// error.errors is a failure.
func (r Roles) failure(m protoreflect.Message) (*spb.Status, error) {
	var httpCode int64
	if r.Code != nil && r.Code.Kind() == protoreflect.Int32Kind {
		httpCode = m.Get(r.Code).Int()
	}
	var text string
	if r.Message != nil && r.Message.Kind() == protoreflect.StringKind {
		text = m.Get(r.Message).String()
	}
	errs := entriesOf(m)
	success := 200 <= httpCode && httpCode < 300
	if len(errs) == 0 && (success || httpCode == 0 && text == "") {
		return nil, nil
	}
	st := &spb.Status{Code: int32(codes.Unknown)}
	if httpCode != 0 && !success {
		st.Code = int32(rpccode.FromHTTP(int(httpCode)))
	}
	var texts []string
	host := hostOf(m.Descriptor())
	for _, e := range errs {
		code, message := Text(e, "code"), Text(e, "message")
		if line := strings.Trim(code+": "+message, ": "); line != "" {
			texts = append(texts, line)
		}
		if httpCode == http.StatusConflict && strings.HasSuffix(code, "ALREADY_EXISTS") {
			st.Code = int32(codes.AlreadyExists)
		}
		details, err := detailsOf(e, code, host)
		if err != nil {
			return nil, err
		}
		st.Details = append(st.Details, details...)
	}
	switch st.Message = strings.Join(texts, "; "); {
	case st.GetMessage() != "":
	case text != "":
		st.Message = text
	case httpCode == 0 || success:
		st.Message = "error without a code or message"
	default:
		st.Message = strings.TrimSpace(fmt.Sprintf("HTTP status %d %s", httpCode, http.StatusText(int(httpCode))))
	}
	return st, nil
}

// entriesOf returns the entries of error.errors.
func entriesOf(m protoreflect.Message) []protoreflect.Message {
	return Messages(messageIn(m, "error"), "errors")
}

// detailsOf returns the details of one entry of error.errors: the entry itself,
// and the messages of google.rpc that say the same. host is the service, which
// gives an entry without an ErrorInfo the domain of one; empty for unknown.
func detailsOf(entry protoreflect.Message, code, host string) ([]*anypb.Any, error) {
	all := []proto.Message{entry.Interface()}
	hasInfo := false
	for _, d := range Messages(entry, "error_details") {
		if info := messageIn(d, "error_info"); info != nil {
			hasInfo = true
			all = append(all, &errdetails.ErrorInfo{Reason: Text(info, "reason"), Domain: Text(info, "domain"), Metadata: textsIn(info, "metadatas")})
		}
		if text := messageIn(d, "localized_message"); text != nil {
			all = append(all, &errdetails.LocalizedMessage{Locale: Text(text, "locale"), Message: Text(text, "message")})
		}
		if help := messageIn(d, "help"); help != nil {
			h := &errdetails.Help{}
			for _, l := range Messages(help, "links") {
				h.Links = append(h.Links, &errdetails.Help_Link{Description: Text(l, "description"), Url: Text(l, "url")})
			}
			all = append(all, h)
		}
	}
	if !hasInfo && code != "" && host != "" {
		all = append(all, &errdetails.ErrorInfo{Reason: code, Domain: host})
	}
	packed := make([]*anypb.Any, len(all))
	for i, d := range all {
		var err error
		if packed[i], err = anypb.New(d); err != nil {
			return nil, err
		}
	}
	return packed, nil
}

// hostOf returns the host of the services that are declared beside a message,
// such as "compute.googleapis.com"; empty where there are none.
func hostOf(md protoreflect.MessageDescriptor) string {
	if services := md.ParentFile().Services(); services.Len() > 0 {
		return OptionText(services.Get(0), defaultHost)
	}
	return ""
}

// Text returns a field by name; empty where m has none that is a string.
func Text(m protoreflect.Message, field protoreflect.Name) string {
	f := m.Descriptor().Fields().ByName(field)
	if f == nil || f.Kind() != protoreflect.StringKind || f.IsList() {
		return ""
	}
	return m.Get(f).String()
}

// textsIn returns a field that is a map of strings.
func textsIn(m protoreflect.Message, field protoreflect.Name) map[string]string {
	f := m.Descriptor().Fields().ByName(field)
	if f == nil || !f.IsMap() || f.MapValue().Kind() != protoreflect.StringKind {
		return nil
	}
	all := map[string]string{}
	m.Get(f).Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		all[k.String()] = v.String()
		return true
	})
	return all
}

// messageIn returns a field that is a message and set, else nil.
func messageIn(m protoreflect.Message, field protoreflect.Name) protoreflect.Message {
	f := m.Descriptor().Fields().ByName(field)
	if f == nil || f.Message() == nil || f.IsList() || f.IsMap() || !m.Has(f) {
		return nil
	}
	return m.Get(f).Message()
}

// Messages returns a field that is a list of messages. m may be nil.
func Messages(m protoreflect.Message, field protoreflect.Name) []protoreflect.Message {
	if m == nil {
		return nil
	}
	f := m.Descriptor().Fields().ByName(field)
	if f == nil || f.Message() == nil || !f.IsList() {
		return nil
	}
	list := m.Get(f).List()
	all := make([]protoreflect.Message, list.Len())
	for i := range all {
		all[i] = list.Get(i).Message()
	}
	return all
}
