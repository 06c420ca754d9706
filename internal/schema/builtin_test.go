package schema

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// fields are the JSON fields of a type with their kinds, by path. Types that both
// sides share are themselves.
func fields(t reflect.Type, path string, into map[string]string) {
	into[path] = strings.TrimSuffix(into[path], t.Kind().String()) + t.Kind().String() // an inline struct counts once
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		fields(t.Elem(), path, into)
	case reflect.Map:
		fields(t.Key(), path+"[]", into)
		fields(t.Elem(), path+"[]", into)
	case reflect.Struct:
		if strings.Contains(t.PkgPath(), "k8s.io/apimachinery") {
			into[path] += " " + t.String()
			return
		}
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" && !strings.Contains(f.Type.PkgPath(), "k8s.io/apimachinery") {
				fields(f.Type, path, into) // inline
				continue
			}
			fields(f.Type, path+"."+name, into)
		}
	}
}

func TestBuiltin(t *testing.T) {
	tests := []struct{ ours, theirs reflect.Type }{
		{reflect.TypeFor[configMap](), reflect.TypeFor[corev1.ConfigMap]()},
		{reflect.TypeFor[secret](), reflect.TypeFor[corev1.Secret]()},
		{reflect.TypeFor[namespace](), reflect.TypeFor[corev1.Namespace]()},
		{reflect.TypeFor[resourceQuota](), reflect.TypeFor[corev1.ResourceQuota]()},
		{reflect.TypeFor[limitRange](), reflect.TypeFor[corev1.LimitRange]()},
		{reflect.TypeFor[networkPolicy](), reflect.TypeFor[networkingv1.NetworkPolicy]()},
		{reflect.TypeFor[clusterRole](), reflect.TypeFor[rbacv1.ClusterRole]()},
		{reflect.TypeFor[admissionPolicy](), reflect.TypeFor[admissionv1.ValidatingAdmissionPolicy]()},
		{reflect.TypeFor[admissionPolicyBinding](), reflect.TypeFor[admissionv1.ValidatingAdmissionPolicyBinding]()},
	}
	for _, tt := range tests {
		t.Run(tt.ours.Name(), func(t *testing.T) {
			ours, theirs := map[string]string{}, map[string]string{}
			fields(tt.ours, "", ours)
			fields(tt.theirs, "", theirs)
			ours[""] = theirs[""] // the struct itself, which ours is twice
			if diff := cmp.Diff(theirs, ours); diff != "" || len(ours) < 5 {
				t.Errorf("k8s.io/api has - and we have +\n%s", diff)
			}
		})
	}
}
