package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	strictjson "sigs.k8s.io/json"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/tmpl"
)

// Case is one admission request that a control must admit or refuse.
type Case struct {
	// Name is unique among the good and among the bad cases of a control: metadata.name of the object, or the uid of the request.
	Name string
	// Operation is CREATE, UPDATE, DELETE or CONNECT.
	Operation string
	// Object is nil on DELETE; OldObject is nil on CREATE and CONNECT.
	Object, OldObject map[string]any
	// Kind of the request: the kind of the object, unless the request sets another.
	Kind GroupVersionKind
	// Namespace of the request; empty for cluster-scoped objects, or if the document
	// does not set it.
	Namespace string
	// ClusterScoped is set if objects of the kind are known to have no namespace.
	ClusterScoped bool
	// SubResource such as exec or ephemeralcontainers; empty for the object itself.
	SubResource string
	UserInfo    UserInfo
	// Parameters that the template of the document uses.
	Parameters []string
}

// GroupVersionKind names a type of the API.
type GroupVersionKind struct {
	Group   string `json:"group"`
	Version string `json:"version"`
	Kind    string `json:"kind"`
}

// UserInfo is the user that makes a request.
type UserInfo struct {
	Username string   `json:"username"`
	Groups   []string `json:"groups,omitempty"`
}

// Plain reports whether the case is the CREATE of an object by the ordinary user.
func (c Case) Plain() bool {
	user := OrdinaryUser()
	return c.Operation == "CREATE" && c.SubResource == "" && c.UserInfo.Username == user.Username && slices.Equal(c.UserInfo.Groups, user.Groups)
}

// OrdinaryUser returns the user of a document that does not name one: a user without special rights.
func OrdinaryUser() UserInfo {
	return UserInfo{Username: "developer@example.com", Groups: []string{"system:authenticated"}}
}

// admissionReview is the part of admission.k8s.io/v1 that a test document may have.
type admissionReview struct {
	APIVersion string           `json:"apiVersion"`
	Kind       string           `json:"kind"`
	Request    admissionRequest `json:"request"`
}

type admissionRequest struct {
	UID         string            `json:"uid"`
	Kind        *GroupVersionKind `json:"kind"`
	Resource    any               `json:"resource"`
	SubResource string            `json:"subResource"`
	Operation   string            `json:"operation"`
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace"`
	UserInfo    *UserInfo         `json:"userInfo"`
	Object      map[string]any    `json:"object"`
	OldObject   map[string]any    `json:"oldObject"`
}

// Tests returns the cases of the control, rendered with resolved parameters: the
// good ones, which it must admit, and the bad ones, which it must refuse. A document
// that is not an AdmissionReview stands for its CREATE by the ordinary user.
func (c *Control) Tests(params map[string]any) (good, bad []Case, err error) {
	if good, err = c.cases(goodFile, c.good, params); err != nil {
		return nil, nil, err
	}
	if bad, err = c.cases(badFile, c.bad, params); err != nil {
		return nil, nil, err
	}
	return good, bad, nil
}

func (c *Control) cases(name string, text []byte, params map[string]any) ([]Case, error) {
	file := path.Join(c.Dir, name)
	rendered, err := tmpl.Render(file, text, params, nil)
	if err != nil {
		return nil, err
	}
	docs, err := documents(file, rendered)
	if err != nil {
		return nil, fmt.Errorf("reading the rendered template: %w", err)
	}
	out := make([]Case, len(docs))
	used := parametersUsed(text)
	seen := map[string]bool{}
	for i, doc := range docs {
		if out[i], err = newCase(doc); err != nil {
			return nil, fmt.Errorf("%s: document %d: %w", file, i+1, err)
		}
		if seen[out[i].Name] {
			return nil, fmt.Errorf("%s: document %d: the name %q is used twice", file, i+1, out[i].Name)
		}
		seen[out[i].Name] = true
		out[i].ClusterScoped = c.scopeOf(kinds.Ref{Group: out[i].Kind.Group, Kind: out[i].Kind.Kind}) == kinds.Cluster
		if len(used) == len(docs) {
			out[i].Parameters = used[i]
		}
	}
	return out, nil
}

func newCase(doc map[string]any) (Case, error) {
	if doc["kind"] == "AdmissionReview" {
		return reviewCase(doc)
	}
	metadata, _ := doc["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	namespace, _ := metadata["namespace"].(string)
	if name == "" {
		return Case{}, errors.New("needs a metadata.name that says what it probes")
	}
	kind, err := kindOfObject(doc)
	return Case{Name: name, Operation: "CREATE", Object: doc, Kind: kind, Namespace: namespace, UserInfo: OrdinaryUser()}, err
}

func reviewCase(doc map[string]any) (Case, error) {
	raw, err := json.Marshal(doc)
	if err != nil {
		return Case{}, fmt.Errorf("encoding the AdmissionReview: %w", err)
	}
	var review admissionReview
	strict, err := strictjson.UnmarshalStrict(raw, &review)
	if err := errors.Join(append(strict, err)...); err != nil {
		return Case{}, fmt.Errorf("decoding the AdmissionReview: %w", err)
	}
	r := review.Request
	out := Case{Name: r.UID, Operation: r.Operation, Object: r.Object, OldObject: r.OldObject,
		Namespace: r.Namespace, SubResource: r.SubResource, UserInfo: OrdinaryUser()}
	if r.UserInfo != nil {
		out.UserInfo = *r.UserInfo
	}
	if err := checkReview(review); err != nil {
		return Case{}, err
	}
	if r.Kind != nil {
		out.Kind = *r.Kind
		return out, nil
	}
	object := r.Object
	if object == nil {
		object = r.OldObject
	}
	out.Kind, err = kindOfObject(object)
	return out, err
}

// checkReview requires the objects that the API server would send.
func checkReview(review admissionReview) error {
	r := review.Request
	wants := map[string]struct{ object, old bool }{
		"CREATE": {object: true}, "UPDATE": {object: true, old: true}, "DELETE": {old: true}, "CONNECT": {object: true},
	}
	want, known := wants[r.Operation]
	switch {
	case review.APIVersion != "admission.k8s.io/v1":
		return fmt.Errorf("apiVersion %q must be admission.k8s.io/v1", review.APIVersion)
	case r.UID == "":
		return errors.New("needs a request.uid that says what it probes")
	case !known:
		return fmt.Errorf("request.operation %q is not CREATE, UPDATE, DELETE or CONNECT", r.Operation)
	case want.object != (r.Object != nil):
		return fmt.Errorf("request.object must be set on CREATE, UPDATE and CONNECT, and not on DELETE; this is %s", r.Operation)
	case want.old != (r.OldObject != nil):
		return fmt.Errorf("request.oldObject must be set on UPDATE and DELETE, and only there; this is %s", r.Operation)
	}
	return nil
}

func kindOfObject(object map[string]any) (GroupVersionKind, error) {
	apiVersion, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	if apiVersion == "" || kind == "" {
		return GroupVersionKind{}, errors.New("needs apiVersion and kind")
	}
	group, version := path.Split(apiVersion)
	return GroupVersionKind{Group: path.Clean("/" + group)[1:], Version: version, Kind: kind}, nil
}

// Moved returns a copy of a value of a document with another namespace in the fields that
// name one, such as namespace and targetNamespace.
func Moved(value any, from, to string) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, field := range v {
			if field == from && strings.HasSuffix(strings.ToLower(key), "namespace") {
				field = to
			}
			out[key] = Moved(field, from, to)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = Moved(item, from, to)
		}
		return out
	}
	return value
}
