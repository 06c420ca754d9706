package schema

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/api/validation/path"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	strictjson "sigs.k8s.io/json"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

type typeOf struct{ apiVersion, kind string }

// kind says how objects of one kind are checked.
type kind struct {
	body func(raw []byte) []*Error
	// name checks metadata.name; nil for what is not an object of the API server.
	name       validation.ValidateNameFunc
	namespaced bool
}

var kinds = map[typeOf]kind{
	{"kyverno.io/v1", "ClusterPolicy"}:                   {custom("clusterpolicy.kyverno.io.v1.json"), validation.NameIsDNSSubdomain, false},
	{"kyverno.io/v2", "PolicyException"}:                 {custom("policyexception.kyverno.io.v2.json"), validation.NameIsDNSSubdomain, true},
	{"kustomize.toolkit.fluxcd.io/v1", "Kustomization"}:  {custom("kustomization.kustomize.toolkit.fluxcd.io.v1.json"), validation.NameIsDNSSubdomain, true},
	{"source.toolkit.fluxcd.io/v1", "GitRepository"}:     {custom("gitrepository.source.toolkit.fluxcd.io.v1.json"), validation.NameIsDNSSubdomain, true},
	{"source.toolkit.fluxcd.io/v1", "HelmRepository"}:    {custom("helmrepository.source.toolkit.fluxcd.io.v1.json"), validation.NameIsDNSSubdomain, true},
	{"source.toolkit.fluxcd.io/v1", "OCIRepository"}:     {custom("ocirepository.source.toolkit.fluxcd.io.v1.json"), validation.NameIsDNSSubdomain, true},
	{"helm.toolkit.fluxcd.io/v2", "HelmRelease"}:         {custom("helmrelease.helm.toolkit.fluxcd.io.v2.json"), validation.NameIsDNSSubdomain, true},
	{"v1", "ConfigMap"}:                                  {strict[corev1.ConfigMap], validation.NameIsDNSSubdomain, true},
	{"v1", "Namespace"}:                                  {strict[corev1.Namespace], validation.NameIsDNSLabel, false},
	{"v1", "Secret"}:                                     {strict[corev1.Secret], validation.NameIsDNSSubdomain, true},
	{"networking.k8s.io/v1", "NetworkPolicy"}:            {strict[networkingv1.NetworkPolicy], validation.NameIsDNSSubdomain, true},
	{"rbac.authorization.k8s.io/v1", "ClusterRole"}:      {strict[rbacv1.ClusterRole], path.ValidatePathSegmentName, false},
	{"kustomize.config.k8s.io/v1beta1", "Kustomization"}: {strict[kustomization], nil, false},
}

// kustomization is what gatehouse writes into a kustomization.yaml.
type kustomization struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Resources  []string `json:"resources"`
}

// strict decodes into the Go type: names are matched with their case, unknown
// fields are reported.
func strict[T any](raw []byte) []*Error {
	var into T
	unknown, err := strictjson.UnmarshalStrict(raw, &into)
	if err != nil {
		return []*Error{{Message: strings.TrimPrefix(err.Error(), "json: ")}}
	}
	var found []*Error
	for _, u := range unknown {
		if quoted, ok := strings.CutPrefix(u.Error(), "unknown field "); ok {
			found = append(found, &Error{Path: strings.Trim(quoted, `"`), Message: "unknown field"})
			continue
		}
		found = append(found, &Error{Message: u.Error()})
	}
	return found
}

// metadata checks what the API server checks of the metadata of every kind.
func (k kind) metadata(o manifest.Object) []*Error {
	raw, err := json.Marshal(o["metadata"])
	if err != nil {
		return []*Error{{Path: "metadata", Message: err.Error()}}
	}
	var meta metav1.ObjectMeta
	var found []*Error
	unknown, err := strictjson.UnmarshalStrict(raw, &meta)
	if err != nil {
		return []*Error{{Path: "metadata", Message: strings.TrimPrefix(err.Error(), "json: ")}}
	}
	for _, u := range unknown {
		quoted := strings.TrimPrefix(u.Error(), "unknown field ")
		found = append(found, &Error{Path: "metadata." + strings.Trim(quoted, `"`), Message: "unknown field"})
	}
	for _, e := range validation.ValidateObjectMeta(&meta, k.namespaced, k.name, field.NewPath("metadata")) {
		found = append(found, &Error{Path: e.Field, Message: fmt.Sprintf("%s", e.ErrorBody())})
	}
	return found
}
