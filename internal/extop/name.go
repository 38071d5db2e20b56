package extop

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
	ParentField  = "parent_id"
)

// parentParam is the parameter of a name and of a link that holds the parent of
// an operation of an organization, as Compute's REST has it.
const parentParam = "parentId"

// Place is where operations are: a scope of one of Compute's four services, and
// in that of organizations the parent.
type Place struct {
	Path   string            // such as "projects/p/zones/z"
	Fields map[string]string // of requests, without the parent
	Parent string            // such as "organizations/1"; may be empty
}

// Name is the name of an operation.
type Name struct {
	Place
	ID string
}

// String returns the canonical name.
func (n Name) String() string {
	text := n.Path + "/operations/" + n.ID
	if n.Parent != "" {
		text += "?" + parentParam + "=" + strings.ReplaceAll(url.QueryEscape(n.Parent), "%2F", "/")
	}
	return text
}

// CanonicalName is what lroext.Name documents.
func CanonicalName(link string) (string, error) {
	n, err := ParseName(link)
	if err != nil {
		return "", err
	}
	return n.String(), nil
}

// ParseName reads the name or the selfLink of an operation; see lroext.Name.
func ParseName(text string) (Name, error) {
	segments, parent, err := segmentsOf(text)
	if err != nil {
		return Name{}, fmt.Errorf("operation %q: %w", text, err)
	}
	if i := len(segments) - 2; i >= 0 && segments[i] == "operations" {
		if p, ok := placeOf(segments[:i]); ok {
			p = p.Under(parent)
			return Name{p, segments[i+1]}, nil
		}
	}
	return Name{}, fmt.Errorf("operation %q: it is not the name or selfLink of an operation in a zone, a region, a project's global scope or an organization", text)
}

// aggregated stands for all scopes of a project, in Compute's paths too.
const aggregated = "aggregated"

// aggregated reports whether the place is all scopes of a project, in which
// operations are only listed.
func (p Place) aggregated() bool { return strings.HasSuffix(p.Path, "/"+aggregated) }

// ParsePlace reads the name or link of a place, with or without its collection
// of operations.
func ParsePlace(text string) (Place, error) {
	p, err := parseScope(text)
	if err == nil && p.aggregated() {
		return Place{}, fmt.Errorf("scope %q is all scopes of a project, where operations are only listed", text)
	}
	return p, err
}

// parseScope is ParsePlace for lists. A project alone is all its scopes.
func parseScope(text string) (Place, error) {
	segments, parent, err := segmentsOf(text)
	if err != nil {
		return Place{}, fmt.Errorf("scope %q: %w", text, err)
	}
	if i := len(segments) - 1; i >= 0 && segments[i] == "operations" {
		segments = segments[:i]
	}
	if n := len(segments); (n == 2 || n == 3 && segments[2] == aggregated) && segments[0] == "projects" {
		return Place{Path: "projects/" + segments[1] + "/" + aggregated, Fields: map[string]string{projectField: segments[1]}}, nil
	}
	p, ok := placeOf(segments)
	if !ok {
		return Place{}, fmt.Errorf("scope %q is not projects/PROJECT/zones/ZONE, projects/PROJECT/regions/REGION, projects/PROJECT/global, locations/global, or projects/PROJECT for all scopes of a project", text)
	}
	return p.Under(parent), nil
}

// Under returns the place below a parent. Those in projects have none.
func (p Place) Under(parent string) Place {
	if len(p.Fields) == 0 {
		p.Parent = parent
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

func placeOf(s []string) (Place, bool) {
	p := Place{Path: strings.Join(s, "/"), Fields: map[string]string{}}
	switch {
	case len(s) == 2 && s[0] == "locations" && s[1] == "global":
	case len(s) == 3 && s[0] == "projects" && s[2] == "global":
		p.Fields[projectField] = s[1]
	case len(s) == 4 && s[0] == "projects" && s[2] == "zones":
		p.Fields[projectField], p.Fields[zoneField] = s[1], s[3]
	case len(s) == 4 && s[0] == "projects" && s[2] == "regions":
		p.Fields[projectField], p.Fields[regionField] = s[1], s[3]
	default:
		return Place{}, false
	}
	return p, true
}

// PlaceWith returns the place that the fields of a request say.
func PlaceWith(fields map[string]string) (Place, bool) {
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
	p = p.Under(fields[ParentField])
	return p, ok && (project != "" || p.Parent != "")
}

// fieldNames returns the names of the fields that a request for the place has.
func (p Place) fieldNames() []string { return slices.Sorted(maps.Keys(p.Fields)) }

// invalid is the error of a call for a name that is none.
func invalid(err error) error { return status.Error(codes.InvalidArgument, err.Error()) }

// Within returns the place in an aggregated list whose key is such as "zones/z",
// "regions/r" or "global".
func (p Place) Within(key string) (Place, error) {
	at, ok := placeOf([]string{"projects", p.Fields[projectField], key})
	if !ok {
		at, ok = placeOf(append([]string{"projects", p.Fields[projectField]}, strings.Split(key, "/")...))
	}
	if !ok {
		return Place{}, status.Errorf(codes.Internal, "the list has operations of an unknown scope %q", key)
	}
	return at, nil
}
