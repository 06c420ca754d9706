// Package arrival says of an object whether a controller of Kubernetes could have made
// it. It is an oracle for tests that send such objects: it does not use what makes them.
package arrival

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// letters are those of apimachinery/pkg/util/rand.
const letters = `[bcdfghjklmnpqrstvwxz2456789]`

// maker is what makes objects of one kind: an owner, an account, and names.
type maker struct {
	apiVersion, account string
	// names match the name, or the generateName, of an object; %s is the name of the owner.
	name, generateName []string
}

func makers() map[string]maker {
	return map[string]maker{
		"ReplicaSet of Deployment":     {"apps/v1", "deployment-controller", []string{`^%s-` + letters + `{1,10}$`}, nil},
		"Pod of ReplicaSet":            {"apps/v1", "replicaset-controller", nil, []string{`^%s-$`}},
		"Pod of ReplicationController": {"v1", "replication-controller", nil, []string{`^%s-$`}},
		"Pod of DaemonSet":             {"apps/v1", "daemon-set-controller", nil, []string{`^%s-$`}},
		"Pod of StatefulSet":           {"apps/v1", "statefulset-controller", []string{`^%s-(0|[1-9][0-9]*)$`}, nil},
		"Pod of Job":                   {"batch/v1", "job-controller", nil, []string{`^%s-$`, `^%s-(0|[1-9][0-9]*)-$`}},
		"Job of CronJob":               {"batch/v1", "cronjob-controller", []string{`^%s-[0-9]{8}$`}, nil},
	}
}

// Check returns an error if no controller would send an object of the kind with the
// metadata as the user, which is empty for a Job that a person runs by hand from a
// CronJob.
func Check(kind string, metadata map[string]any, user string) error {
	o := manifest.Object(metadata)
	owners := o.Maps("ownerReferences")
	if len(owners) != 1 || owners[0]["controller"] != true || owners[0].String("uid") == "" {
		return fmt.Errorf("the owners %v are not one controller", owners)
	}
	made := kind + " of " + owners[0].String("kind")
	m, known := makers()[made]
	switch {
	case !known:
		return fmt.Errorf("no controller makes a %s", made)
	case owners[0].String("apiVersion") != m.apiVersion:
		return fmt.Errorf("the owner of a %s has apiVersion %s", made, owners[0].String("apiVersion"))
	case user == "" && made == "Job of CronJob" && o.String("annotations", "cronjob.kubernetes.io/instantiate") == "manual":
		return nil
	case user != "system:serviceaccount:kube-system:"+m.account && user != "system:kube-controller-manager":
		return fmt.Errorf("%s does not make a %s", user, made)
	case owners[0]["blockOwnerDeletion"] != true:
		return fmt.Errorf("a controller sets blockOwnerDeletion")
	}
	return m.named(made, owners[0].String("name"), o)
}

// named checks the name, or the generateName: one of them is empty.
func (m maker) named(made, owner string, o manifest.Object) error {
	name, prefix, patterns := o.String("name"), o.String("generateName"), m.name
	text := name
	if m.name == nil {
		text, patterns = prefix, m.generateName
	}
	if (name == "") == (prefix == "") || text == "" {
		return fmt.Errorf("a %s has name %q and generateName %q", made, name, prefix)
	}
	if len(owner) == 253 && m.name == nil && text == owner {
		return nil // with a dash, it would be too long for a name
	}
	for _, pattern := range patterns {
		if regexp.MustCompile(fmt.Sprintf(pattern, regexp.QuoteMeta(owner))).MatchString(text) {
			return nil
		}
	}
	// The index of a Job's Pod is kept, and the name of the Job is cut in its place.
	if index := regexp.MustCompile(`-(0|[1-9][0-9]*)-$`).FindString(text); made == "Pod of Job" && len(text) == 58 && index != "" && strings.HasPrefix(owner, strings.TrimSuffix(text, index)) {
		return nil
	}
	return fmt.Errorf("a %s of %s is not called %q", made, owner, text)
}
