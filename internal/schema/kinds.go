package schema

import (
	"encoding/json"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	strictjson "sigs.k8s.io/json"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

type typeOf struct{ apiVersion, kind string }

// kind says how objects of one kind are checked.
type kind struct {
	// body returns the metadata if it decoded it on the way.
	body func(raw []byte) ([]*Error, *metav1.ObjectMeta)
	// name checks metadata.name; nil for a kind that the API server does not serve.
	name validation.ValidateNameFunc
}

var checks = map[typeOf]kind{
	{"kyverno.io/v1", "ClusterPolicy"}:                                      {custom("clusterpolicy.kyverno.io.v1.json"), validation.NameIsDNSSubdomain},
	{"policies.kyverno.io/v1", "ValidatingPolicy"}:                          {custom("validatingpolicy.policies.kyverno.io.v1.json"), validation.NameIsDNSSubdomain},
	{"policies.kyverno.io/v1", "ImageValidatingPolicy"}:                     {custom("imagevalidatingpolicy.policies.kyverno.io.v1.json"), validation.NameIsDNSSubdomain},
	{"policies.kyverno.io/v1", "MutatingPolicy"}:                            {custom("mutatingpolicy.policies.kyverno.io.v1.json"), validation.NameIsDNSSubdomain},
	{"admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"}:        {strict[admissionPolicy], validation.NameIsDNSSubdomain},
	{"admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"}: {strict[admissionPolicyBinding], validation.NameIsDNSSubdomain},
	{"kyverno.io/v2", "PolicyException"}:                                    {custom("policyexception.kyverno.io.v2.json"), validation.NameIsDNSSubdomain},
	{"kustomize.toolkit.fluxcd.io/v1", "Kustomization"}:                     {custom("kustomization.kustomize.toolkit.fluxcd.io.v1.json"), validation.NameIsDNSSubdomain},
	{"source.toolkit.fluxcd.io/v1", "GitRepository"}:                        {custom("gitrepository.source.toolkit.fluxcd.io.v1.json"), validation.NameIsDNSSubdomain},
	{"source.toolkit.fluxcd.io/v1", "HelmRepository"}:                       {custom("helmrepository.source.toolkit.fluxcd.io.v1.json"), validation.NameIsDNSSubdomain},
	{"source.toolkit.fluxcd.io/v1", "OCIRepository"}:                        {custom("ocirepository.source.toolkit.fluxcd.io.v1.json"), validation.NameIsDNSSubdomain},
	{"helm.toolkit.fluxcd.io/v2", "HelmRelease"}:                            {custom("helmrelease.helm.toolkit.fluxcd.io.v2.json"), validation.NameIsDNSSubdomain},
	{"v1", "ConfigMap"}:                                  {strict[configMap], validation.NameIsDNSSubdomain},
	{"v1", "Namespace"}:                                  {strict[namespace], validation.NameIsDNSLabel},
	{"v1", "Secret"}:                                     {strict[secret], validation.NameIsDNSSubdomain},
	{"v1", "ResourceQuota"}:                              {strict[resourceQuota], validation.NameIsDNSSubdomain},
	{"v1", "LimitRange"}:                                 {strict[limitRange], validation.NameIsDNSSubdomain},
	{"networking.k8s.io/v1", "NetworkPolicy"}:            {strict[networkPolicy], validation.NameIsDNSSubdomain},
	{"rbac.authorization.k8s.io/v1", "ClusterRole"}:      {strict[clusterRole], pathSegment},
	{"kustomize.config.k8s.io/v1beta1", "Kustomization"}: {strict[kustomization], nil},
}

// kustomization holds the fields that gatehouse writes into a kustomization.yaml.
type kustomization struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Resources  []string `json:"resources"`
}

// strict decodes into the Go type: names are matched with their case, unknown
// fields are reported.
func strict[T any](raw []byte) ([]*Error, *metav1.ObjectMeta) {
	into := new(T)
	found, ok := decode(raw, into, "")
	if o, is := any(into).(metav1.ObjectMetaAccessor); is && ok {
		return found, o.GetObjectMeta().(*metav1.ObjectMeta)
	}
	return found, nil
}

// decode decodes raw strictly; prefix is its path in the object. ok reports whether into
// holds the decoded value, apart from unknown fields.
func decode(raw []byte, into any, prefix string) (found []*Error, ok bool) {
	unknown, err := strictjson.UnmarshalStrict(raw, into)
	if err != nil {
		return []*Error{{Path: strings.TrimSuffix(prefix, "."), Message: strings.TrimPrefix(err.Error(), "json: ")}}, false
	}
	for _, u := range unknown {
		if quoted, is := strings.CutPrefix(u.Error(), "unknown field "); is {
			found = append(found, &Error{Path: prefix + strings.Trim(quoted, `"`), Message: unknownField})
			continue
		}
		found = append(found, &Error{Path: strings.TrimSuffix(prefix, "."), Message: u.Error()})
	}
	return found, true
}

// metadata checks the metadata as the API server does for every kind. meta is nil if it
// is not decoded yet.
func (k kind) metadata(o manifest.Object, meta *metav1.ObjectMeta) []*Error {
	var found []*Error
	known, _ := kinds.Find(o.Group(), o.Kind())
	if meta == nil {
		raw, err := json.Marshal(o["metadata"])
		if err != nil {
			return []*Error{{Path: "metadata", Message: err.Error()}}
		}
		meta = &metav1.ObjectMeta{}
		var ok bool
		if found, ok = decode(raw, meta, "metadata."); !ok {
			return found
		}
	}
	for _, e := range validation.ValidateObjectMeta(meta, known.Scope == kinds.Namespaced, k.name, field.NewPath("metadata")) {
		found = append(found, &Error{Path: e.Field, Message: e.ErrorBody()})
	}
	return found
}

// pathSegment is the rule for RBAC names, which may have colons: they become a segment of a URL.
func pathSegment(name string, _ bool) []string { return content.IsPathSegmentName(name) }
