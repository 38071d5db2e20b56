package lrogen

import "google.golang.org/protobuf/compiler/protogen"

// packages has the names of the Go packages that code is generated into.
type packages map[protogen.GoImportPath]names

// names are the identifiers that are taken, in a package or in a type.
type names map[string]bool

// of returns the names of a package: those of the messages and of what
// protoc-gen-go and protoc-gen-go-grpc make of the files of gen, and those that
// were taken since.
func (p packages) of(gen *protogen.Plugin, importPath protogen.GoImportPath) names {
	if taken, ok := p[importPath]; ok {
		return taken
	}
	taken := make(names)
	for _, file := range gen.Files {
		if file.GoImportPath == importPath {
			taken.add(file)
		}
	}
	p[importPath] = taken
	return taken
}

// take returns name, with as many underscores behind it as make it unique, and
// takes it.
func (n names) take(name string) string {
	for n[name] {
		name += "_"
	}
	n[name] = true
	return name
}

func (n names) add(file *protogen.File) {
	n[file.GoDescriptorIdent.GoName] = true
	n.addEnums(file.Enums)
	n.addMessages(file.Messages)
	n.addExtensions(file.Extensions)
	for _, s := range file.Services {
		for _, name := range []string{
			s.GoName + "Client", "New" + s.GoName + "Client", s.GoName + "Server", "Unimplemented" + s.GoName + "Server",
			"Unsafe" + s.GoName + "Server", "Register" + s.GoName + "Server", s.GoName + "_ServiceDesc",
		} {
			n[name] = true
		}
		for _, m := range s.Methods {
			n[s.GoName+"_"+m.GoName+"_FullMethodName"] = true
			n[s.GoName+"_"+m.GoName+"Client"] = true // of a stream
			n[s.GoName+"_"+m.GoName+"Server"] = true
		}
	}
}

func (n names) addEnums(enums []*protogen.Enum) {
	for _, e := range enums {
		n[e.GoIdent.GoName] = true
		n[e.GoIdent.GoName+"_name"] = true
		n[e.GoIdent.GoName+"_value"] = true
		for _, v := range e.Values {
			n[v.GoIdent.GoName] = true
		}
	}
}

func (n names) addMessages(messages []*protogen.Message) {
	for _, m := range messages {
		n[m.GoIdent.GoName] = true
		n[m.GoIdent.GoName+"_builder"] = true // in the opaque API
		for _, f := range m.Fields {
			if f.Oneof != nil {
				n[f.GoIdent.GoName] = true // the wrapper
			}
		}
		n.addEnums(m.Enums)
		n.addMessages(m.Messages)
		n.addExtensions(m.Extensions)
	}
}

func (n names) addExtensions(extensions []*protogen.Extension) {
	for _, x := range extensions {
		n["E_"+x.GoIdent.GoName] = true
	}
}
