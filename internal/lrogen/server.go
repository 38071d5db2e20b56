package lrogen

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	serverPackage  = protogen.GoImportPath("github.com/go-lro/lro/server")
	stringsPackage = protogen.GoImportPath("strings")
)

// serving is the server of a service: its handler, its kinds, and functions that
// join them with a server of operations.
type serving struct {
	*writer
	service
	handler, kinds, newKinds string // names that it declares
	unary, parent            string
	options                  string // the field for start options
	local                    func(string) string
}

// server writes what the program of a service uses.
func (w *writer) server(s service) {
	v := serving{
		writer: w, service: s,
		handler: w.names.take(s.GoName + "Handler"), kinds: w.names.take(s.GoName + "Kinds"),
		newKinds: w.names.take("New" + s.GoName + "Kinds"),
		unary:    w.names.take("unary" + s.GoName), parent: w.names.take("parentFor" + s.GoName),
	}
	var messages []string
	taken := make(names)
	for _, m := range s.Methods {
		taken.take(m.GoName)
		messages = append(messages, w.QualifiedGoIdent(m.Input.GoIdent), w.QualifiedGoIdent(m.Output.GoIdent))
	}
	v.options = taken.take("StartOptions")
	v.local = localNames(messages...)
	v.declareHandler()
	v.declareKinds()
	v.handle()
	v.register()
	v.helpers()
}

// long returns the method with operation_info of this name, if it is one.
func (v serving) long(m *protogen.Method) (method, bool) {
	for _, l := range v.methods {
		if l.Method == m {
			return l, true
		}
	}
	return method{}, false
}

func (v serving) declareHandler() {
	v.doc(
		fmt.Sprintf(" %s is the service %s, for a program to implement.\n A method with a task does the work of an operation, as [%s] says; each\n other one answers a call.",
			v.handler, v.Desc.FullName(), v.QualifiedGoIdent(serverPackage.Ident("Handler"))),
		string(v.Comments.Leading), deprecationIf(v.Desc.Options()),
	)
	v.P("type ", v.handler, " interface {")
	for i, m := range v.Methods {
		if i > 0 {
			v.P()
		}
		v.docIf(string(m.Comments.Leading), deprecationIf(m.Desc.Options()))
		v.P(m.GoName, v.signature(m))
	}
	v.P("}")
	v.P()
}

// signature is that of m in the handler.
func (v serving) signature(m *protogen.Method) string {
	in, out := v.QualifiedGoIdent(m.Input.GoIdent), v.QualifiedGoIdent(m.Output.GoIdent)
	if m.Output.Desc.FullName() == operationName {
		out = v.QualifiedGoIdent(pbPackage.Ident("Operation"))
	}
	stream := func(kind string, types ...string) string {
		return v.QualifiedGoIdent(grpcPackage.Ident(kind+"StreamingServer")) + "[" + strings.Join(types, ", ") + "]"
	}
	long, ok := v.long(m)
	switch fromClient, fromServer := m.Desc.IsStreamingClient(), m.Desc.IsStreamingServer(); {
	case ok:
		return fmt.Sprintf("(ctx %s, task *%s[*%s], req *%s) (*%s, error)", v.QualifiedGoIdent(contextPackage.Ident("Context")),
			v.QualifiedGoIdent(serverPackage.Ident("Task")), v.QualifiedGoIdent(long.metadata.GoIdent), in, v.QualifiedGoIdent(long.response.GoIdent))
	case fromClient && fromServer:
		return fmt.Sprintf("(stream %s) error", stream("Bidi", in, out))
	case fromClient:
		return fmt.Sprintf("(stream %s) error", stream("Client", in, out))
	case fromServer:
		return fmt.Sprintf("(req *%s, stream %s) error", in, stream("Server", out))
	}
	return fmt.Sprintf("(ctx %s, req *%s) (*%s, error)", v.QualifiedGoIdent(contextPackage.Ident("Context")), in, out)
}

func (v serving) declareKinds() {
	v.doc(fmt.Sprintf(` %s are the kinds of operations that methods of
 %s start. A program may change them before it uses
 them: to set a timeout, retries or a check of requests (Validate). Names are
 stored with operations, and must not change once there are any.`, v.kinds, v.Desc.FullName()), deprecationIf(v.Desc.Options()))
	v.P("type ", v.kinds, " struct {")
	for _, m := range v.methods {
		v.docIf(deprecationIf(m.Desc.Options()))
		v.P(m.GoName, " ", v.kindType(m))
	}
	v.P()
	v.doc(fmt.Sprintf(` %s, if not nil, is called for each start with what the request
 says, and may change it. Its error is the caller's answer. It must be safe
 for concurrent use.`, v.options))
	v.P(v.options, " func(ctx ", contextPackage.Ident("Context"), ", req ", protoPackage.Ident("Message"), ", opts *", serverPackage.Ident("StartOptions"), ") error")
	v.P("}")
	v.P()
	v.doc(fmt.Sprintf(" %s returns kinds with their names and nothing else.", v.newKinds), deprecationIf(v.Desc.Options()))
	v.P("func ", v.newKinds, "() *", v.kinds, " {")
	v.P("return &", v.kinds, "{")
	for _, m := range v.methods {
		v.P(m.GoName, ": ", v.kindType(m), "{Name: ", strconv.Quote(kindName(m.Desc.FullName())),
			", Method: ", strconv.Quote(string(m.Desc.FullName())), "},")
	}
	v.P("}")
	v.P("}")
	v.P()
}

func (v serving) kindType(m method) string {
	return fmt.Sprintf("%s[*%s, *%s, *%s]", v.QualifiedGoIdent(serverPackage.Ident("Kind")), v.QualifiedGoIdent(m.Input.GoIdent),
		v.QualifiedGoIdent(m.response.GoIdent), v.QualifiedGoIdent(m.metadata.GoIdent))
}

func (v serving) handle() {
	name := v.names.take("Handle" + v.GoName)
	registration := v.QualifiedGoIdent(serverPackage.Ident("Registration"))
	v.doc(fmt.Sprintf(" %s returns the kinds with the handlers that run their operations, for\n [%s]. Nil kinds are those of %s.",
		name, v.QualifiedGoIdent(serverPackage.Ident("New")), v.newKinds), deprecationIf(v.Desc.Options()))
	v.P("func ", name, "(h ", v.handler, ", kinds *", v.kinds, ") []", registration, " {")
	v.defaultKinds("kinds")
	v.P("return []", registration, "{")
	for _, m := range v.methods {
		v.P("kinds.", m.GoName, ".Handle(h.", m.GoName, "),")
	}
	v.P("}")
	v.P("}")
	v.P()
}

func (v serving) defaultKinds(variable string) {
	v.P("if ", variable, " == nil {")
	v.P(variable, " = ", v.newKinds, "()")
	v.P("}")
}

func (v serving) register() {
	name := v.names.take("Register" + v.GoName)
	r, s, h, kinds := v.local("r"), v.local("s"), v.local("h"), v.local("kinds")
	v.doc(
		fmt.Sprintf(` %s puts %s onto a gRPC server, and
 google.longrunning.Operations unless the server has it. The kinds must be those
 of s; nil are those of %s.`, name, v.Desc.FullName(), v.newKinds),
		fmt.Sprintf(` An operation is started with the request_id and the validate_only of its
 request. Its parent is the field parent; else the parent of the field name, or
 of the name in the only field that has one; else that of s. %s.%s
 changes that.`, v.kinds, v.options), deprecationIf(v.Desc.Options()),
	)
	v.P("func ", name, "(", r, " ", grpcPackage.Ident("ServiceRegistrar"), ", ", s, " *", serverPackage.Ident("Server"), ", ", h, " ", v.handler,
		", ", kinds, " *", v.kinds, ") {")
	v.defaultKinds(kinds)
	v.P(r, ".RegisterService(&", grpcPackage.Ident("ServiceDesc"), "{")
	v.P("ServiceName: ", strconv.Quote(string(v.Desc.FullName())), ",")
	v.P("HandlerType: (*", v.handler, ")(nil),")
	v.P("Methods: []", grpcPackage.Ident("MethodDesc"), "{")
	for _, m := range v.Methods {
		if m.Desc.IsStreamingClient() || m.Desc.IsStreamingServer() {
			continue
		}
		v.unaryMethod(m)
	}
	v.P("},")
	v.streams()
	v.P("Metadata: ", strconv.Quote(v.Desc.ParentFile().Path()), ",")
	v.P("}, ", h, ")")
	v.P("if has, ok := ", r, ".(interface{ GetServiceInfo() map[string]", grpcPackage.Ident("ServiceInfo"), " }); ok {")
	v.P("if _, ok := has.GetServiceInfo()[\"google.longrunning.Operations\"]; ok {")
	v.P("return")
	v.P("}")
	v.P("}")
	v.P(s, ".Register(", r, ")")
	v.P("}")
	v.P()
}

func (v serving) unaryMethod(m *protogen.Method) {
	h, ctx, req, opts, kinds := v.local("h"), v.local("ctx"), v.local("req"), v.local("opts"), v.local("kinds")
	long, ok := v.long(m)
	if !ok {
		v.P(v.unary, "(", strconv.Quote(string(m.Desc.Name())), ", ", h, ".", m.GoName, "),")
		return
	}
	v.P(v.unary, "(", strconv.Quote(string(m.Desc.Name())), ", func(", ctx, " ", contextPackage.Ident("Context"), ", ", req, " *", m.Input.GoIdent,
		") (*", pbPackage.Ident("Operation"), ", error) {")
	v.P(opts, " := &", serverPackage.Ident("StartOptions"), "{", strings.Join(v.startOptions(long, req), ", "), "}")
	v.P("if ", kinds, ".", v.options, " != nil {")
	v.P("if err := ", kinds, ".", v.options, "(", ctx, ", ", req, ", ", opts, "); err != nil {")
	v.P("return nil, err")
	v.P("}")
	v.P("}")
	v.P("return ", kinds, ".", m.GoName, ".Start(", ctx, ", ", v.local("s"), ", ", req, ", ", opts, ")")
	v.P("}),")
}

// startOptions are the fields of server.StartOptions by what the request has.
func (v serving) startOptions(m method, req string) []string {
	var fields []string
	if parent := parentOf(m.Input); len(parent) > 0 {
		value := req + getters(parent)
		if last := parent[len(parent)-1]; last.Desc.Name() == "name" {
			value = v.parent + "(" + value + ")"
		}
		fields = append(fields, "Parent: "+value)
	}
	if m.requestID != nil {
		fields = append(fields, "RequestID: "+req+getters([]*protogen.Field{m.requestID}))
	}
	if f := fieldOf(m.Input, "validate_only", protoreflect.BoolKind); f != nil {
		fields = append(fields, "ValidateOnly: "+req+getters([]*protogen.Field{f}))
	}
	return fields
}

// streams writes the methods that are not unary.
func (v serving) streams() {
	begun := false
	h := v.local("h")
	for _, m := range v.Methods {
		fromClient, fromServer := m.Desc.IsStreamingClient(), m.Desc.IsStreamingServer()
		if !fromClient && !fromServer {
			continue
		}
		if !begun {
			v.P("Streams: []", grpcPackage.Ident("StreamDesc"), "{")
			begun = true
		}
		stream, req := v.local("stream"), v.local("req")
		out := v.QualifiedGoIdent(m.Output.GoIdent)
		if m.Output.Desc.FullName() == operationName {
			out = v.QualifiedGoIdent(pbPackage.Ident("Operation"))
		}
		typed := fmt.Sprintf("&%s[%s, %s]{ServerStream: %s}", v.QualifiedGoIdent(grpcPackage.Ident("GenericServerStream")),
			v.QualifiedGoIdent(m.Input.GoIdent), out, stream)
		v.P("{StreamName: ", strconv.Quote(string(m.Desc.Name())), ", ClientStreams: ", fromClient, ", ServerStreams: ", fromServer,
			", Handler: func(_ any, ", stream, " ", grpcPackage.Ident("ServerStream"), ") error {")
		if fromClient {
			v.P("return ", h, ".", m.GoName, "(", typed, ")")
		} else {
			v.P(req, " := new(", m.Input.GoIdent, ")")
			v.P("if err := ", stream, ".RecvMsg(", req, "); err != nil {")
			v.P("return err")
			v.P("}")
			v.P("return ", h, ".", m.GoName, "(", req, ", ", typed, ")")
		}
		v.P("}},")
	}
	if begun {
		v.P("},")
	}
}

// helpers writes the functions that the others call.
func (v serving) helpers() {
	v.P("func ", v.unary, "[Req, Resp any](name string, call func(", contextPackage.Ident("Context"), ", *Req) (*Resp, error)) ", grpcPackage.Ident("MethodDesc"), " {")
	v.P("return ", grpcPackage.Ident("MethodDesc"), "{MethodName: name, Handler: func(srv any, ctx ", contextPackage.Ident("Context"),
		", decode func(any) error, intercept ", grpcPackage.Ident("UnaryServerInterceptor"), ") (any, error) {")
	v.P("req := new(Req)")
	v.P("if err := decode(req); err != nil {")
	v.P("return nil, err")
	v.P("}")
	v.P("if intercept == nil {")
	v.P("return call(ctx, req)")
	v.P("}")
	v.P("info := &", grpcPackage.Ident("UnaryServerInfo"), "{Server: srv, FullMethod: ", strconv.Quote("/"+string(v.Desc.FullName())+"/"), " + name}")
	v.P("return intercept(ctx, req, info, func(ctx ", contextPackage.Ident("Context"), ", req any) (any, error) { return call(ctx, req.(*Req)) })")
	v.P("}}")
	v.P("}")
	v.P()
	for _, m := range v.methods {
		parent := parentOf(m.Input)
		if len(parent) == 0 || parent[len(parent)-1].Desc.Name() != "name" {
			continue
		}
		v.doc(fmt.Sprintf(" %s returns the name of the resource that one belongs to: name without\n its last two segments.", v.parent))
		v.P("func ", v.parent, "(name string) string {")
		v.P("for range 2 {")
		v.P("name = name[:max(", stringsPackage.Ident("LastIndexByte"), "(name, '/'), 0)]")
		v.P("}")
		v.P("return name")
		v.P("}")
		v.P()
		return
	}
}
