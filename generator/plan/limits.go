package plan

// Quota is the limit of each resource that a namespace may use in total, as the canonical
// text of a quantity; nil for no quota.
type Quota map[string]string

// LimitRange limits one type of objects in a namespace, and has the fields of an entry in
// the spec of a LimitRange of Kubernetes. Quantities are canonical texts, by resource. What
// the API server would fill in is there.
type LimitRange struct {
	Type                 string            `json:"type"`
	Max                  map[string]string `json:"max,omitempty"`
	Min                  map[string]string `json:"min,omitempty"`
	Default              map[string]string `json:"default,omitempty"`
	DefaultRequest       map[string]string `json:"defaultRequest,omitempty"`
	MaxLimitRequestRatio map[string]string `json:"maxLimitRequestRatio,omitempty"`
}

// The types that a LimitRange limits.
const (
	LimitContainer = "Container"
	LimitPod       = "Pod"
	LimitClaim     = "PersistentVolumeClaim"
)
