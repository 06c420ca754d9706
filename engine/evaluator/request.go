package evaluator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// podOptions are the objects that come with requests to subresources of a Pod. Kyverno matches such a request as one to the Pod.
var podOptions = map[string]bool{
	"PodExecOptions": true, "PodAttachOptions": true, "PodPortForwardOptions": true, "PodProxyOptions": true,
	"Eviction": true, "Binding": true,
}

// request is an admission request as Kyverno's webhook handlers get it.
type request struct {
	admission admissionv1.AdmissionRequest
	// parent is the kind that rules match on: that of the object, or of the object whose subresource is asked for.
	parent schema.GroupVersionKind
	// resource is the resource name of parent.
	resource schema.GroupVersionResource
	info     kyvernov2.RequestInfo
}

// name returns the name of the request in errors: "UPDATE Pod payments/web".
func (r request) name() string {
	object := r.admission.Name
	if r.admission.Namespace != "" && r.admission.Kind.Kind != "Namespace" {
		object = r.admission.Namespace + "/" + object
	}
	return fmt.Sprintf("%s %s %s", r.admission.Operation, r.admission.Kind.Kind, object)
}

// newRequest builds the admission request that the API server would send.
func newRequest(p protocol.EvaluateParams, kinds kindTable) (request, error) {
	if p.Scan && (p.Operation != "" && p.Operation != protocol.Create || len(p.OldResource) > 0 || p.SubResource != "" || p.UserInfo.Username != "") {
		return request{}, errors.New("a scan has no operation, no old resource, no subresource and no user")
	}
	var object metav1.PartialObjectMetadata
	if err := json.Unmarshal(p.Resource, &object); err != nil {
		return request{}, fmt.Errorf("decoding the resource: %w", err)
	}
	gvk := object.GroupVersionKind()
	if gvk.Version == "" || gvk.Kind == "" {
		return request{}, errors.New("the resource has no apiVersion or no kind")
	}
	name := object.Name
	if name == "" {
		name = object.GenerateName
	}
	r := request{parent: gvk, info: requestInfo(p)}
	r.admission = admissionv1.AdmissionRequest{
		UID: "gatehouse", Kind: metav1.GroupVersionKind(gvk), SubResource: p.SubResource, Name: name, UserInfo: r.info.AdmissionUserInfo,
	}
	if err := r.setObjects(p); err != nil {
		return request{}, fmt.Errorf("%s/%s: %w", gvk.Kind, name, err)
	}
	if podOptions[gvk.Kind] && p.SubResource != "" {
		r.parent = corev1.SchemeGroupVersion.WithKind("Pod")
	} else if p.SubResource == "scale" {
		return request{}, fmt.Errorf("%s/%s: requests to scale are not supported", gvk.Kind, name)
	}
	if err := r.setNamespace(p.Namespace, object.Namespace, kinds); err != nil {
		return request{}, fmt.Errorf("%s/%s: %w", gvk.Kind, name, err)
	}
	r.resource = kinds.resource(r.parent)
	r.admission.Resource = metav1.GroupVersionResource(r.resource)
	r.admission.RequestKind, r.admission.RequestResource = &r.admission.Kind, &r.admission.Resource
	r.admission.RequestSubResource = p.SubResource
	return r, nil
}

// setObjects places the objects where the operation has them.
func (r *request) setObjects(p protocol.EvaluateParams) error {
	if p.Operation == "" {
		p.Operation = protocol.Create
	}
	hasOld := len(p.OldResource) > 0 && !bytes.Equal(p.OldResource, []byte("null"))
	if hasOld != (p.Operation == protocol.Update) {
		return errors.New("an UPDATE, and nothing else, has an oldResource")
	}
	r.admission.Operation = admissionv1.Operation(p.Operation)
	switch p.Operation {
	case protocol.Create, protocol.Connect:
		r.admission.Object = runtime.RawExtension{Raw: p.Resource}
	case protocol.Update:
		r.admission.Object = runtime.RawExtension{Raw: p.Resource}
		r.admission.OldObject = runtime.RawExtension{Raw: p.OldResource}
	case protocol.Delete:
		r.admission.OldObject = runtime.RawExtension{Raw: p.Resource}
	default:
		return fmt.Errorf("unknown operation %q", p.Operation)
	}
	return nil
}

// setNamespace settles the namespace of the request. The API server sets it to its own name for a Namespace.
func (r *request) setNamespace(asked, own string, kinds kindTable) error {
	info, known := kinds[r.parent]
	switch {
	case r.parent.Group == "" && r.parent.Kind == "Namespace":
		r.admission.Namespace = r.admission.Name
	case known && !info.namespaced:
	case asked != "" && own != "" && asked != own:
		return fmt.Errorf("the resource is in namespace %q, the request in %q", own, asked)
	case asked != "":
		r.admission.Namespace = asked
	case own != "":
		r.admission.Namespace = own
	case known:
		return errors.New("the kind is namespaced, but neither the resource nor the request names a namespace")
	}
	return nil
}

// requestInfo returns the user as Kyverno sees it.
func requestInfo(p protocol.EvaluateParams) kyvernov2.RequestInfo {
	return kyvernov2.RequestInfo{
		AdmissionUserInfo: authenticationv1.UserInfo{Username: p.UserInfo.Username, Groups: p.UserInfo.Groups},
		Roles:             p.Roles,
		ClusterRoles:      p.ClusterRoles,
	}
}
