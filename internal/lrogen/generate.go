package lrogen

import (
	"errors"
	"flag"
	"path"

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
	// Version of the plugin, for the comment at the top of each file.
	Version string
}

// Bind defines the parameters in flags.
func (o *Options) Bind(flags *flag.FlagSet) {
	flags.StringVar(&o.PackageSuffix, "package_suffix", o.PackageSuffix,
		"put the code into a package of its own: the folder <package><suffix> below that of the messages")
}

// Generate adds to gen one file for each proto file to generate that has a
// method with operation_info. Its error has a line for each fault of the proto
// files.
func Generate(gen *protogen.Plugin, opts Options) error {
	gen.SupportedFeatures = uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL |
		pluginpb.CodeGeneratorResponse_FEATURE_SUPPORTS_EDITIONS)
	gen.SupportedEditionsMinimum = descriptorpb.Edition_EDITION_PROTO2
	gen.SupportedEditionsMaximum = descriptorpb.Edition_EDITION_2024

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
		to := placeOf(file, opts.PackageSuffix)
		w := &writer{
			GeneratedFile: gen.NewGeneratedFile(to.prefix+"_lro.pb.go", to.importPath),
			names:         names.of(gen, to.importPath),
		}
		w.header(gen, file, to.name, opts.Version)
		for _, s := range services {
			w.client(s)
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
