package workload

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/plain"
)

// podSpec has the fields of the specification of a Pod that policies read, in their form.
// Other forms are refused by the API server, and an engine might find nothing in them.
type podSpec struct {
	Containers          []container    `json:"containers"`
	InitContainers      []container    `json:"initContainers"`
	EphemeralContainers []container    `json:"ephemeralContainers"`
	Volumes             []object       `json:"volumes"`
	SecurityContext     object         `json:"securityContext"`
	NodeSelector        map[string]any `json:"nodeSelector"`
	Tolerations         []object       `json:"tolerations"`
	HostNetwork         bool           `json:"hostNetwork"`
	HostPID             bool           `json:"hostPID"`
	HostIPC             bool           `json:"hostIPC"`
	ServiceAccountName  string         `json:"serviceAccountName"`
}

type container struct {
	Name            string   `json:"name"`
	Image           string   `json:"image"`
	SecurityContext object   `json:"securityContext"`
	Ports           []object `json:"ports"`
	Env             []object `json:"env"`
	VolumeMounts    []object `json:"volumeMounts"`
	Resources       object   `json:"resources"`
}

type object map[string]any

type podTemplate struct {
	Spec podSpec `json:"spec"`
}

// moved are the kinds that were in the group extensions.
var moved = map[string]string{"Deployment": "apps", "DaemonSet": "apps", "ReplicaSet": "apps", "Ingress": "networking.k8s.io", "NetworkPolicy": "networking.k8s.io"}

// checkVersion returns an error about a workload or an Ingress of a version that Kubernetes no
// longer has: a policy asks for what it has, and would say nothing.
func checkVersion(h header) error {
	group := kinds.Group(h.APIVersion)
	if now, has := moved[h.Kind]; has && group == "extensions" {
		group = now
	}
	kind, known := kinds.Find(group, h.Kind)
	if !known || len(kind.Makes) == 0 && moved[h.Kind] == "" {
		return nil
	}
	var served []string
	for _, version := range kind.Versions {
		served = append(served, strings.TrimPrefix(group+"/"+version, "/"))
	}
	if slices.Contains(served, h.APIVersion) {
		return nil
	}
	return fmt.Errorf("%s of %s is gone from Kubernetes, which has %s", h.Kind, h.APIVersion, strings.Join(served, ", "))
}

// checkShape returns an error about a Pod, or an object with the template of Pods, in which a
// value has a form that Kubernetes does not know.
func checkShape(raw json.RawMessage, h header) error {
	if err := checkVersion(h); err != nil {
		return err
	}
	kind, known := kinds.Find(kinds.Group(h.APIVersion), h.Kind)
	if !known {
		return nil
	}
	var into any
	switch {
	case h.Kind == "Pod":
		into = &podTemplate{}
	case h.Kind == "PodTemplate":
		into = &struct {
			Template podTemplate `json:"template"`
		}{}
	case h.Kind == "CronJob":
		into = &struct {
			Spec struct {
				JobTemplate struct {
					Spec struct {
						Template podTemplate `json:"template"`
					} `json:"spec"`
				} `json:"jobTemplate"`
			} `json:"spec"`
		}{}
	case len(kind.Makes) > 0:
		into = &struct {
			Spec struct {
				Template podTemplate `json:"template"`
			} `json:"spec"`
		}{}
	default:
		return nil
	}
	return plain.JSONError(json.Unmarshal(raw, into))
}
