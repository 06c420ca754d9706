package schema

import (
	"cmp"
	"embed"
	"encoding/json"
	stderrors "errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/kube-openapi/pkg/validation/errors"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Error is a reason why the API server would refuse an object.
type Error struct {
	// Path of the field, such as spec.rules[0].name; empty for the object as a whole.
	Path string
	// Message in lower case, without the path.
	Message string
}

func (e *Error) Error() string {
	if e.Path == "" {
		return e.Message
	}
	return e.Path + ": " + e.Message
}

// Unknown reports whether the object has a field that the schema does not have.
func (e *Error) Unknown() bool { return e.Message == unknownField }

const unknownField = "unknown field"

// Check returns all errors of an object, each an *Error, sorted by path; nil if the
// object can be applied. A kind without a schema is an error. The object is not changed.
// Check may be called concurrently. It reads the schema of a kind when it checks the
// first object of that kind.
func Check(o manifest.Object) []error {
	kind, ok := checks[typeOf{o.APIVersion(), o.Kind()}]
	if !ok {
		return []error{&Error{Message: fmt.Sprintf("no schema for %s %s", o.APIVersion(), o.Kind())}}
	}
	raw, err := json.Marshal(o)
	if err != nil {
		return []error{&Error{Message: fmt.Sprintf("is not JSON: %v", err)}}
	}
	found, meta := kind.body(raw)
	found = append(found, limits(o, len(raw))...)
	if kind.name != nil {
		found = append(found, kind.metadata(o, meta)...)
	}
	slices.SortFunc(found, func(a, b *Error) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Message, b.Message))
	})
	var errs []error
	for _, e := range slices.CompactFunc(found, func(a, b *Error) bool { return *a == *b }) {
		errs = append(errs, e)
	}
	return errs
}

// Fields returns the fields that an object of a kind can have beside the one at a path, such
// as spec.rules[0].name, sorted; nil if the schema does not say it.
func Fields(apiVersion, kind, path string) []string {
	s, err := structure(strings.ToLower(kind + "." + strings.ReplaceAll(apiVersion, "/", ".") + ".json"))
	if err != nil {
		return nil
	}
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		name, _, listed := strings.Cut(name, "[")
		next := s.Properties[name]
		if s = &next; listed && s.Items != nil {
			s = s.Items
		}
	}
	return slices.Sorted(maps.Keys(s.Properties))
}

//go:embed crds/*.json
var crds embed.FS

// custom checks objects against the schema of a custom resource.
func custom(file string) func(raw []byte) ([]*Error, *metav1.ObjectMeta) {
	load := sync.OnceValue(func() *customResource { return newCustomResource(file) })
	return func(raw []byte) ([]*Error, *metav1.ObjectMeta) { return load().check(raw), nil }
}

type customResource struct {
	structure *structural.Structural
	validator *validate.SchemaValidator
}

// newCustomResource panics if a file of crds is broken; a test reads them all.
func newCustomResource(file string) *customResource {
	s, err := structure(file)
	if err != nil {
		panic(fmt.Sprintf("schema %s: %v", file, err))
	}
	return &customResource{structure: s, validator: validate.NewSchemaValidator(s.ToKubeOpenAPI(), nil, "", strfmt.Default)}
}

func structure(file string) (*structural.Structural, error) {
	data, err := crds.ReadFile("crds/" + file)
	if err != nil {
		return nil, err
	}
	var v1 apiextensionsv1.JSONSchemaProps
	if err := json.Unmarshal(data, &v1); err != nil {
		return nil, err
	}
	var props apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&v1, &props, nil); err != nil {
		return nil, err
	}
	return structural.NewStructural(&props)
}

func (c *customResource) check(raw []byte) []*Error {
	var tree map[string]any
	if err := utiljson.Unmarshal(raw, &tree); err != nil { // int64 where encoding/json has float64
		return []*Error{{Message: err.Error()}}
	}
	var found []*Error
	for _, err := range c.validator.Validate(tree).Errors {
		found = append(found, explain(err))
	}
	for _, err := range listtype.ValidateListSetsAndMaps(nil, c.structure, tree) {
		found = append(found, &Error{Path: err.Field, Message: err.ErrorBody()})
	}
	// Last, because it removes what it finds.
	unknown := pruning.PruneWithOptions(tree, c.structure, true, structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	for _, path := range unknown {
		found = append(found, &Error{Path: path, Message: unknownField})
	}
	return found
}

// explain returns the error of the validator with the path separate from the message.
func explain(err error) *Error {
	var v *errors.Validation
	if !stderrors.As(err, &v) {
		return &Error{Message: err.Error()}
	}
	path := strings.TrimPrefix(v.Name, ".")
	message := strings.TrimPrefix(err.Error(), v.Name+" in body ")
	return &Error{Path: path, Message: message}
}
