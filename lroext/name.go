package lroext

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The fields of requests that say where an operation is.
const (
	projectField = "project"
	zoneField    = "zone"
	regionField  = "region"
	parentField  = "parent_id"
)

// parentParam is the parameter of a name and of a link that holds the parent of
// an operation of an organization, as Compute's REST has it.
const parentParam = "parentId"

// place is where operations are: a scope of one of Compute's four services, and
// in that of organizations the parent.
type place struct {
	path   string            // such as "projects/p/zones/z"
	fields map[string]string // of requests, without the parent
	parent string            // such as "organizations/1"; may be empty
}

// name is the name of an operation.
type name struct {
	place
	id string
}

// String returns the canonical name.
func (n name) String() string {
	text := n.path + "/operations/" + n.id
	if n.parent != "" {
		text += "?" + parentParam + "=" + strings.ReplaceAll(url.QueryEscape(n.parent), "%2F", "/")
	}
	return text
}

// Name returns the canonical name of the operation with this selfLink, such as
// "projects/p/zones/z/operations/ID". The host and the version (v1, beta, alpha)
// in a link do not matter. Names are accepted too.
//
// The names are
//
//	projects/PROJECT/zones/ZONE/operations/ID
//	projects/PROJECT/regions/REGION/operations/ID
//	projects/PROJECT/global/operations/ID
//	locations/global/operations/ID?parentId=organizations/NUMBER
//
// A project may be domain-scoped (example.com:project). The parent of an operation
// of an organization is no part of its selfLink; see [InParent].
//
// Name fails if link is none of these.
func Name(link string) (string, error) {
	n, err := parseName(link)
	if err != nil {
		return "", err
	}
	return n.String(), nil
}

func parseName(text string) (name, error) {
	segments, parent, err := segmentsOf(text)
	if err != nil {
		return name{}, fmt.Errorf("operation %q: %w", text, err)
	}
	if i := len(segments) - 2; i >= 0 && segments[i] == "operations" {
		if p, ok := placeOf(segments[:i]); ok {
			p = p.under(parent)
			return name{p, segments[i+1]}, nil
		}
	}
	return name{}, fmt.Errorf("operation %q: it is not the name or selfLink of an operation in a zone, a region, a project's global scope or an organization", text)
}

// parsePlace reads the name or link of a place, with or without its collection
// of operations.
func parsePlace(text string) (place, error) {
	segments, parent, err := segmentsOf(text)
	if err != nil {
		return place{}, fmt.Errorf("scope %q: %w", text, err)
	}
	if i := len(segments) - 1; i >= 0 && segments[i] == "operations" {
		segments = segments[:i]
	}
	p, ok := placeOf(segments)
	if !ok {
		return place{}, fmt.Errorf("scope %q is not projects/PROJECT/zones/ZONE, projects/PROJECT/regions/REGION, projects/PROJECT/global or locations/global", text)
	}
	return p.under(parent), nil
}

// under returns the place below a parent. Those in projects have none.
func (p place) under(parent string) place {
	if len(p.fields) == 0 {
		p.parent = parent
	}
	return p
}

// segmentsOf returns the segments of a name, or of the path of a link, and the
// parent in its query.
func segmentsOf(text string) (segments []string, parent string, err error) {
	path, query, _ := strings.Cut(text, "?")
	link := strings.Contains(path, "://") || strings.HasPrefix(path, "//")
	if link {
		u, err := url.Parse(path)
		if err != nil {
			return nil, "", fmt.Errorf("it is no URL")
		}
		path = u.EscapedPath()
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, "", fmt.Errorf("its query is damaged")
	}
	for segment := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if link {
			if segment, err = url.PathUnescape(segment); err != nil {
				return nil, "", fmt.Errorf("it is no URL")
			}
		}
		if segment == "" || segment == "." || segment == ".." || strings.ContainsAny(segment, "/?#%") {
			return nil, "", fmt.Errorf("it has a segment %q", segment)
		}
		segments = append(segments, segment)
	}
	return withoutVersion(segments), values.Get(parentParam), nil
}

// withoutVersion takes out what stands before a name in the paths of REST, such
// as compute/v1.
func withoutVersion(segments []string) []string {
	for i := range len(segments) - 2 {
		if root := segments[i+2]; segments[i] == "compute" && (root == "projects" || root == "locations") {
			return segments[i+2:]
		}
	}
	return segments
}

func placeOf(s []string) (place, bool) {
	p := place{path: strings.Join(s, "/"), fields: map[string]string{}}
	switch {
	case len(s) == 2 && s[0] == "locations" && s[1] == "global":
	case len(s) == 3 && s[0] == "projects" && s[2] == "global":
		p.fields[projectField] = s[1]
	case len(s) == 4 && s[0] == "projects" && s[2] == "zones":
		p.fields[projectField], p.fields[zoneField] = s[1], s[3]
	case len(s) == 4 && s[0] == "projects" && s[2] == "regions":
		p.fields[projectField], p.fields[regionField] = s[1], s[3]
	default:
		return place{}, false
	}
	return p, true
}

// placeWith returns the place that the fields of a request say.
func placeWith(fields map[string]string) (place, bool) {
	project, zone, region := fields[projectField], fields[zoneField], fields[regionField]
	var text string
	switch {
	case project != "" && zone != "":
		text = "projects/" + project + "/zones/" + zone
	case project != "" && region != "":
		text = "projects/" + project + "/regions/" + region
	case project != "":
		text = "projects/" + project + "/global"
	default:
		text = "locations/global"
	}
	p, ok := placeOf(strings.Split(text, "/"))
	p = p.under(fields[parentField])
	return p, ok && (project != "" || p.parent != "")
}

// fieldNames returns the names of the fields that a request for the place has.
func (p place) fieldNames() []string { return slices.Sorted(maps.Keys(p.fields)) }

// invalid is the error of a call for a name that is none.
func invalid(err error) error { return status.Error(codes.InvalidArgument, err.Error()) }
