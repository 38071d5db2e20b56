package lrogen

import (
	"errors"
	"flag"
	"fmt"
	"path"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// Options are the parameters of the plugin beside those of every Go plugin
// (paths, module, M and the API level), which protogen reads.
type Options struct {
	// PackageSuffix, if not empty, puts the generated code of a Go package into
	// a package of its own: in the folder named like the package with the suffix,
	// below the one of the messages. Default is the package of the messages.
	PackageSuffix string
	// ServerPackageSuffix, if not empty, adds the server's code, in a package of
	// its own as above. Default is none.
	ServerPackageSuffix string
	// Warn, if not nil, is given a line for what is probably not meant.
	Warn func(line string)
	// Version of the plugin, for the comment at the top of each file.
	Version string
}

// Bind defines the parameters in flags.
func (o *Options) Bind(flags *flag.FlagSet) {
	flags.StringVar(&o.PackageSuffix, "package_suffix", o.PackageSuffix,
		"put the code into a package of its own: the folder <package><suffix> below that of the messages")
	flags.StringVar(&o.ServerPackageSuffix, "server_package_suffix", o.ServerPackageSuffix,
		"also generate the server's code, into the folder <package><suffix> below that of the messages")
}

// Set sets a parameter in flags that Bind has filled. Its error names the valid
// ones.
func Set(flags *flag.FlagSet) func(name, value string) error {
	return func(name, value string) error {
		if flags.Lookup(name) != nil {
			return flags.Set(name, value)
		}
		var names []string
		flags.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
		return fmt.Errorf("unknown parameter %q: there are %s, and those of every Go plugin: paths, module, M<file>, annotate_code and the API levels",
			name, strings.Join(names, ", "))
	}
}

// Generate adds to gen one file for each proto file to generate that has a
// method with operation_info, and one more for the server. Its error has a line
// for each fault of the proto files.
func Generate(gen *protogen.Plugin, opts Options) error {
	gen.SupportedFeatures = uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL |
		pluginpb.CodeGeneratorResponse_FEATURE_SUPPORTS_EDITIONS)
	gen.SupportedEditionsMinimum = descriptorpb.Edition_EDITION_PROTO2
	gen.SupportedEditionsMaximum = descriptorpb.Edition_EDITION_2024

	if opts.ServerPackageSuffix != "" && opts.ServerPackageSuffix == opts.PackageSuffix {
		return errors.New("package_suffix and server_package_suffix are the same: callers must not link the server")
	}
	names := make(packages)
	var faults []error
	for _, file := range gen.Files {
		if !file.Generate {
			continue
		}
		services, err := servicesOf(gen, file)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if len(services) == 0 {
			continue
		}
		opts.warn(services)
		begin := func(suffix string) *writer {
			to := placeOf(file, suffix)
			w := &writer{gen.NewGeneratedFile(to.prefix+"_lro.pb.go", to.importPath), names.of(gen, to.importPath)}
			w.header(gen, file, to.name, opts.Version)
			return w
		}
		client := begin(opts.PackageSuffix)
		for _, s := range services {
			client.client(s)
		}
		if opts.ServerPackageSuffix == "" {
			continue
		}
		server := begin(opts.ServerPackageSuffix)
		for _, s := range services {
			server.server(s)
		}
	}
	return errors.Join(faults...)
}

// place is where the code for a proto file goes.
type place struct {
	prefix     string // path without "_lro.pb.go"
	name       protogen.GoPackageName
	importPath protogen.GoImportPath
}

func placeOf(file *protogen.File, suffix string) place {
	to := place{file.GeneratedFilenamePrefix, file.GoPackageName, file.GoImportPath}
	if suffix == "" {
		return to
	}
	to.name += protogen.GoPackageName(suffix)
	dir, base := path.Split(to.prefix)
	to.prefix = path.Join(dir, string(to.name), base)
	to.importPath = protogen.GoImportPath(path.Join(string(to.importPath), string(to.name)))
	return to
}

// warn warns of requests with a request_id that cannot make calls idempotent.
func (o Options) warn(services []service) {
	for _, s := range services {
		for _, m := range s.methods {
			if o.Warn == nil || m.requestID != nil {
				continue
			}
			for _, f := range m.Input.Fields {
				if f.Desc.Name() == requestIDName {
					o.Warn(fmt.Sprintf("%s: request_id of %s is not a string of its own, so that calls of %s are not repeated (AIP-155)",
						position(m.Method), m.Input.Desc.FullName(), m.Desc.FullName()))
				}
			}
		}
	}
}
