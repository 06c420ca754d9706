package made

import (
	"fmt"
	"hash/fnv"
	"maps"
	"strconv"

	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

// Sent is an object as its maker sends it, without what comes from its template.
type Sent struct {
	// What is said of it in reports, such as "made by the replicaset-controller".
	What string
	Kind string
	// Owner is the name of the object that controls it.
	Owner string
	// Name or GenerateName is set.
	Name, GenerateName string
	// Hostname of a Pod; empty for none.
	Hostname            string
	Labels, Annotations map[string]any
	// OwnerReference is the only one.
	OwnerReference map[string]any
	// User and Groups of the request; none if a user of the cluster makes it.
	User   string
	Groups []string
}

// From returns what becomes of a workload, in the order in which it is made: nothing for
// kinds that have no controller. A Job has a Pod without and one with an index, and a
// CronJob also a Job that a user ran by hand.
func From(kind, name string) []Sent {
	switch kind {
	case "Deployment":
		set := ReplicaSetName(name)
		hash := set[len(name)+1:]
		return []Sent{
			by("Deployment", name, Sent{Kind: "ReplicaSet", Name: set, Labels: map[string]any{"pod-template-hash": hash}}),
			by("ReplicaSet", set, Sent{Kind: "Pod", GenerateName: podPrefix(set), Labels: map[string]any{"pod-template-hash": hash}}),
		}
	case "ReplicaSet", "ReplicationController":
		return []Sent{by(kind, name, Sent{Kind: "Pod", GenerateName: podPrefix(name)})}
	case "DaemonSet":
		labels := map[string]any{"controller-revision-hash": hash(name), "pod-template-generation": "1"}
		return []Sent{by(kind, name, Sent{Kind: "Pod", GenerateName: podPrefix(name), Labels: labels})}
	case "StatefulSet":
		pod := name + "-0"
		labels := map[string]any{"apps.kubernetes.io/pod-index": "0", "controller-revision-hash": name + "-" + hash(name), "statefulset.kubernetes.io/pod-name": pod}
		return []Sent{by(kind, name, Sent{Kind: "Pod", Name: pod, Hostname: pod, Labels: labels})}
	case "Job":
		return jobPods(name)
	case "CronJob":
		return cronJob(name)
	}
	return nil
}

// by returns what the controller of a kind makes from the object of this name.
func by(kind, owner string, s Sent) Sent {
	k := kinds.Named(kind).Kinds()[0]
	s.What, s.Owner = "made by the "+k.Account, owner
	s.OwnerReference = reference(k, owner)
	s.OwnerReference["blockOwnerDeletion"] = true
	s.User = "system:serviceaccount:kube-system:" + k.Account
	s.Groups = []string{"system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"}
	return s
}

func reference(k kinds.Kind, name string) map[string]any {
	return map[string]any{"apiVersion": k.APIVersion(), "kind": k.Kind, "name": name, "uid": "6a3f1f60-7d3c-4f4e-9c0e-2f3a5b6c7d8e", "controller": true}
}

func jobPods(job string) []Sent {
	const index = 3
	labels := map[string]any{"batch.kubernetes.io/job-name": job, "job-name": job}
	indexed := maps.Clone(labels)
	indexed["batch.kubernetes.io/job-completion-index"] = strconv.Itoa(index)
	return []Sent{
		by("Job", job, Sent{Kind: "Pod", GenerateName: podPrefix(job), Labels: labels}),
		by("Job", job, Sent{Kind: "Pod", GenerateName: indexedName(job, index), Labels: indexed,
			Annotations: map[string]any{"batch.kubernetes.io/job-completion-index": strconv.Itoa(index)}, Hostname: fmt.Sprintf("%s-%d", job, index)}),
	}
}

// cronJob returns the Job of a minute and the Job of kubectl create job --from, each
// with its Pods.
func cronJob(name string) []Sent {
	const minute = 29917440 // since 1970, as the controller writes it
	clock, hand := fmt.Sprintf("%s-%d", name, minute), name+"-by-hand"
	byHand := Sent{Kind: "Job", Name: hand, What: "made by hand", Owner: name, Annotations: map[string]any{"cronjob.kubernetes.io/instantiate": "manual"}}
	byHand.OwnerReference = reference(kinds.Named("CronJob").Kinds()[0], name)
	out := []Sent{by("CronJob", name, Sent{Kind: "Job", Name: clock, Annotations: map[string]any{"batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-11-19T00:00:00Z"}})}
	out = append(append(out, jobPods(clock)...), byHand)
	return append(out, jobPods(hand)...)
}

// ReplicaSetName returns the name of a ReplicaSet of a Deployment. The hash is that of
// its Pod template; here, of its name.
func ReplicaSetName(deployment string) string { return deployment + "-" + hash(deployment) }

func hash(s string) string {
	h := fnv.New32a()
	h.Write([]byte(s))
	return rand.SafeEncodeString(strconv.FormatUint(uint64(h.Sum32()), 10))
}

// podPrefix is getPodsPrefix of the controllers: the dash is left out if it makes the
// name of a Pod too long.
func podPrefix(owner string) string {
	if len(owner) == 253 {
		return owner
	}
	return owner + "-"
}

// MaxGenerateName is the longest prefix to which the API server appends five random
// characters; it cuts a longer one (apiserver/pkg/storage/names).
const MaxGenerateName = 63 - 5

// indexedName is podGenerateNameWithIndex of the Job controller: it cuts the name of the
// Job, so that the index stays.
func indexedName(job string, index int) string {
	suffix := "-" + strconv.Itoa(index) + "-"
	if prefix := job + suffix; len(prefix) <= MaxGenerateName {
		return prefix
	}
	return job[:MaxGenerateName-len(suffix)] + suffix
}

// Generated returns a name that the API server may make of a generateName. It is always
// the same one.
func Generated(prefix string) string {
	return prefix[:min(len(prefix), MaxGenerateName)] + "x7k2p"
}

// Stored returns the name under which the object is stored.
func (s Sent) Stored() string {
	if s.Name != "" {
		return s.Name
	}
	return Generated(s.GenerateName)
}

// Metadata returns the metadata of the object in a namespace, or in none if it is empty,
// with the labels and annotations of its template.
func (s Sent) Metadata(namespace string, labels, annotations map[string]any) map[string]any {
	out := map[string]any{}
	for field, text := range map[string]string{"name": s.Name, "generateName": s.GenerateName, "namespace": namespace} {
		if text != "" {
			out[field] = text
		}
	}
	if s.OwnerReference != nil {
		out["ownerReferences"] = []any{maps.Clone(s.OwnerReference)}
	}
	for field, values := range map[string][2]map[string]any{"labels": {labels, s.Labels}, "annotations": {annotations, s.Annotations}} {
		merged := map[string]any{}
		maps.Copy(merged, values[0])
		maps.Copy(merged, values[1])
		if len(merged) > 0 {
			out[field] = merged
		}
	}
	return out
}
