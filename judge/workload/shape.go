package workload

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
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

// checkShape returns an error about a Pod, or an object with the template of Pods, in which a
// value has a form that Kubernetes does not know.
func checkShape(raw json.RawMessage, h header) error {
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
	return plainJSON(json.Unmarshal(raw, into))
}

// plainJSON returns an error of encoding/json without the names of Go.
func plainJSON(err error) error {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return err
	}
	want := "an object"
	switch wrong.Type.Kind() {
	case reflect.String:
		want = "a string"
	case reflect.Bool:
		want = "true or false"
	case reflect.Slice, reflect.Array:
		want = "a list"
	}
	got, _, _ := strings.Cut(wrong.Value, " ") // a number comes with its text
	switch got {
	case "array":
		got = "a list"
	case "object":
		got = "an object"
	case "bool":
		got = "true or false"
	default:
		got = "a " + got
	}
	if wrong.Field == "" {
		return fmt.Errorf("must be %s, not %s", want, got)
	}
	return fmt.Errorf("%s must be %s, not %s", wrong.Field, want, got)
}
