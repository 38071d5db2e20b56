package lrogen

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/types/gofeaturespb"
)

// client is the client of a service: its methods start and resume operations.
type client struct {
	*writer
	service
	name string // of the type
	unit string // the type of *lro.Client
}

// client writes what callers of a service use: an lro.Method for each method, and
// the client.
func (w *writer) client(s service) {
	values := make([]string, len(s.methods))
	for i, m := range s.methods {
		values[i] = w.names.take(s.GoName + "_" + m.GoName + "_Method")
		w.methodValue(m, values[i])
	}
	c := client{w, s, w.names.take(s.GoName + "LROClient"), w.QualifiedGoIdent(lroPackage.Ident("Client"))}
	c.declare()
	taken := make(names)
	for _, m := range s.methods {
		taken.take(m.GoName)
	}
	for i, m := range s.methods {
		c.start(m, values[i])
		c.resume(m, values[i], taken.take("Resume"+m.GoName))
	}
}

// methodValue writes the lro.Method of m.
func (w *writer) methodValue(m method, name string) {
	w.doc(fmt.Sprintf(" %s is the method %s.", name, m.Desc.FullName()), deprecationIf(m.Desc.Options()))
	w.P("var ", name, " = ", lroPackage.Ident("Method"), w.typeArguments(m), "{Name: ", strconv.Quote(string(m.Desc.FullName())), "}")
	w.P()
}

// typeArguments are the response and the metadata of m, in brackets.
func (w *writer) typeArguments(m method) string {
	return "[*" + w.QualifiedGoIdent(m.response.GoIdent) + ", *" + w.QualifiedGoIdent(m.metadata.GoIdent) + "]"
}

func (c client) declare() {
	constructor := c.names.take("New" + c.name)
	conn := c.QualifiedGoIdent(grpcPackage.Ident("ClientConnInterface"))
	c.doc(
		fmt.Sprintf(" %s starts and resumes the operations of %s.\n It may be used concurrently.", c.name, c.Desc.FullName()),
		string(c.Comments.Leading),
		deprecationIf(c.Desc.Options()),
	)
	c.P("type ", c.name, " struct {")
	c.P("conn ", conn)
	c.P("operations *", c.unit)
	c.P("}")
	c.P()
	c.doc(fmt.Sprintf(` %s returns a client that starts operations by calls
 on conn and waits for them with client. If client is nil, it is made
 with [%s].`, constructor, c.QualifiedGoIdent(lroPackage.Ident("NewClientConn"))), deprecationIf(c.Desc.Options()))
	c.P("func ", constructor, "(conn ", conn, ", client *", c.unit, ") *", c.name, " {")
	c.P("if client == nil {")
	c.P("client = ", lroPackage.Ident("NewClientConn"), "(conn)")
	c.P("}")
	c.P("return &", c.name, "{conn: conn, operations: client}")
	c.P("}")
	c.P()

	operation := c.QualifiedGoIdent(pbPackage.Ident("Operation"))
	option := c.QualifiedGoIdent(grpcPackage.Ident("CallOption"))
	c.P("func (c *", c.name, ") invoke(ctx ", contextPackage.Ident("Context"), ", method string, req ", protoPackage.Ident("Message"),
		", opts ...[]", option, ") (*", operation, ", error) {")
	c.P("started := new(", operation, ")")
	c.P("all := append([]", option, "{", grpcPackage.Ident("StaticMethod"), "()}, ", slicesPackage.Ident("Concat"), "(opts...)...)")
	c.P("if err := c.conn.Invoke(ctx, method, req, started, all...); err != nil {")
	c.P("return nil, err")
	c.P("}")
	c.P("return started, nil")
	c.P("}")
	c.P()
}

// start writes the method that calls m.
func (c client) start(m method, value string) {
	request := c.QualifiedGoIdent(m.Input.GoIdent)
	local := localNames(request)
	recv, ctx, req, opts, more, id := local("c"), local("ctx"), local("req"), local("opts"), local("more"), local("requestID")
	if m.requestID == nil {
		id = "_"
	}
	contextType := c.QualifiedGoIdent(contextPackage.Ident("Context"))
	option := c.QualifiedGoIdent(grpcPackage.Ident("CallOption"))
	path := strconv.Quote(fmt.Sprintf("/%s/%s", c.Desc.FullName(), m.Desc.Name()))
	begin := fmt.Sprintf("return %s.Start(%s, %s.operations, func(%s %s, %s string, %s ...%s) (*%s, error) {",
		value, ctx, recv, ctx, contextType, id, more, option, c.QualifiedGoIdent(pbPackage.Ident("Operation")))

	c.startDoc(m)
	c.P("func (", recv, " *", c.name, ") ", m.GoName, "(", ctx, " ", contextType, ", ", req, " *", request, ", ", opts, " ...", option,
		") (*", lroPackage.Ident("Operation"), c.typeArguments(m), ", error) {")
	if m.requestID == nil {
		c.P(begin)
		c.P("return ", recv, ".invoke(", ctx, ", ", path, ", ", req, ", ", opts, ", ", more, ")")
		c.P("}, ", lroPackage.Ident("WithoutRequestID"), "())")
		c.P("}")
		c.P()
		return
	}
	call, how := local("call"), local("how")
	get, _ := m.requestID.MethodName("Get")
	c.P("var ", how, " []", lroPackage.Ident("StartOption"))
	c.P("if id := ", req, ".", get, "(); id != \"\" {")
	c.P(how, " = append(", how, ", ", lroPackage.Ident("WithRequestID"), "(id))")
	c.P("}")
	c.P(begin)
	c.P(call, " := new(", request, ")")
	c.P(protoPackage.Ident("Merge"), "(", call, ", ", req, ")")
	c.P(setRequestID(call, m.requestID, id))
	c.P("return ", recv, ".invoke(", ctx, ", ", path, ", ", call, ", ", opts, ", ", more, ")")
	c.P("}, ", how, "...)")
	c.P("}")
	c.P()
}

func (c client) startDoc(m method) {
	text := fmt.Sprintf(" %s starts an operation by %s.", m.GoName, m.Desc.FullName())
	if m.Comments.Leading != "" {
		text = string(m.Comments.Leading)
	}
	start := c.QualifiedGoIdent(lroPackage.Ident("Method")) + ".Start"
	repeats := fmt.Sprintf(` One operation is started even if answers are lost: the call is repeated with
 the request ID of req, or with a random one if req has none. See [%s].
 req is not changed.`, start)
	if m.requestID == nil {
		repeats = fmt.Sprintf(` The request has no request_id: the call is not repeated after an answer that
 was lost, and the error, an [*%s], says that the operation may
 have been started.`, c.QualifiedGoIdent(lroPackage.Ident("StartError")))
	}
	c.doc(text, repeats, deprecationIf(m.Desc.Options()))
}

// resume writes the method that resumes an operation of m.
func (c client) resume(m method, value, name string) {
	c.doc(fmt.Sprintf(" %s returns the operation of %s with the given name or\n token. It makes no call. See [%s.Resume].",
		name, m.GoName, c.QualifiedGoIdent(lroPackage.Ident("Method"))), deprecationIf(m.Desc.Options()))
	c.P("func (c *", c.name, ") ", name, "(nameOrToken string) (*", lroPackage.Ident("Operation"), c.typeArguments(m), ", error) {")
	c.P("return ", value, ".Resume(c.operations, nameOrToken)")
	c.P("}")
	c.P()
}

// setRequestID is the statement that sets field f of the request in a variable to
// the ID in another.
func setRequestID(variable string, f *protogen.Field, id string) string {
	if f.Parent.APILevel == gofeaturespb.GoFeatures_API_OPAQUE {
		set, _ := f.MethodName("Set")
		return fmt.Sprintf("%s.%s(%s)", variable, set, id)
	}
	if f.Desc.HasPresence() {
		return fmt.Sprintf("%s.%s = &%s", variable, f.GoName, id)
	}
	return fmt.Sprintf("%s.%s = %s", variable, f.GoName, id)
}

// localNames returns a function that makes names of variables which do not hide
// the packages of qualified identifiers.
func localNames(qualified ...string) func(string) string {
	return func(name string) string {
		for _, q := range qualified {
			if pkg, _, _ := strings.Cut(q, "."); pkg == name {
				return name + "_"
			}
		}
		return name
	}
}
