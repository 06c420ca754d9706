package profile

import (
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

const (
	codeDeployer = "deployer-invalid"
	codeBroad    = "deployer-broad"
	codeSpelling = "deployer-spelling"
)

// subjectName matches whole names of users and groups: no wildcard, and nothing with a
// meaning in an expression.
var subjectName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9@:._/-]*$`)

// accountText matches how people write a service account; the first group is empty if only
// its parts say so.
var accountText = regexp.MustCompile(`^((?i:system[:/.])?(?i:service-?accounts?)[:/.])?([^:/]+)[:/]([^:/]+)$`)

// everyone lists the subjects that strangers belong to.
func everyone() []string {
	return []string{"system:anonymous", "system:authenticated", "system:authenticated:oauth", "system:unauthenticated", "system:serviceaccounts"}
}

// groupsOfKubernetes lists groups that Kubernetes and kubeadm have; no user is called so.
func groupsOfKubernetes() []string {
	return []string{"system:masters", "system:nodes", "system:monitoring", "system:bootstrappers", "kubeadm:cluster-admins"}
}

// usersOfKubernetes lists users that are no groups.
func usersOfKubernetes() []string {
	return []string{"system:apiserver", "system:admin", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy"}
}

// user checks the name of a user of spec.deployers: that a user can have it.
func (p *parser) user(field, name string) {
	account, sure := p.account(name)
	group, isGroup := groupMeant(name)
	_, _, valid := kinds.ParseServiceAccount(name)
	switch {
	case !subjectName.MatchString(name):
		p.Report(field, codeDeployer, "such as system:serviceaccount:NAMESPACE:NAME", "%q is not the name of a user", name)
	case slices.Contains(everyone(), name):
		p.Report(field, codeDeployer, "name those who apply the repository", "%s is everyone", name)
	case valid:
	case isGroup:
		p.Report(field, codeDeployer, "write {group: "+group+"}", "no user is called %s: it is a group", name)
	case sure || likeAccount(name):
		p.Report(field, codeDeployer, "write "+account, "no user is called %s: Kubernetes writes a service account in another way", name)
	case account != "" && strings.Contains(name, "/") || p.runsFlux(name):
		p.Warn(field, codeSpelling, "if a service account is meant, write "+account, "%s is the name of a user", name)
	}
}

// group checks the name of a group: that a group can have it, and who is in it. asUser says
// how to write a user instead.
func (p *parser) group(field, example, asUser, name string) {
	account, sure := p.account(name)
	canonical, known := groupMeant(name)
	namespace, ofNamespace := strings.CutPrefix(name, "system:serviceaccounts:")
	switch {
	case !subjectName.MatchString(name):
		p.Report(field, codeDeployer, "such as "+example, "%q is not the name of a group", name)
	case slices.Contains(everyone(), name):
		p.Report(field, codeDeployer, "name those who apply the repository", "%s is everyone", name)
	case ofNamespace && len(validation.IsDNS1123Label(namespace)) == 0:
		p.Warn(field, codeBroad, "name one service account, such as "+kinds.ServiceAccount(namespace, "NAME"), "each service account of %s is in %s, and whoever can create a Pod there", namespace, name)
	case ofNamespace || sure || likeAccount(name):
		p.Report(field, codeDeployer, asUser+" "+account, "no group is called %s: a service account is a user", name)
	case slices.Contains(usersOfKubernetes(), name) || strings.HasPrefix(name, "system:node:"):
		p.Report(field, codeDeployer, asUser+" "+name, "no group is called %s: it is a user", name)
	case name == "system:nodes" || strings.HasPrefix(name, "system:bootstrappers"):
		p.Warn(field, codeBroad, "name those who apply the repository", "each node of the cluster is in %s, also one that was taken over", name)
	case known && strings.EqualFold(canonical, name) && canonical != name:
		p.Report(field, codeDeployer, "write "+canonical, "no group is called %s", name)
	case known && canonical != name:
		p.Warn(field, codeSpelling, "write "+canonical+", unless your clusters put this prefix before the names of groups", "%s is the whole name of a group", name)
	case p.runsFlux(name):
		p.Warn(field, codeSpelling, "if a service account is meant, it is the user "+account, "%s is the name of a group", name)
	case strings.HasPrefix(name, "system:") && !slices.Contains(groupsOfKubernetes(), name):
		p.likelyGroup(field, name)
	}
}

// likelyGroup warns of a name that is nearly that of a group of Kubernetes.
func (p *parser) likelyGroup(field, name string) {
	if hint := diag.DidYouMean(name, groupsOfKubernetes()); hint != "" {
		p.Warn(field, codeSpelling, hint, "Kubernetes has no group %s", name)
	}
}

// groupMeant returns the group that the name of a user, or a group in another spelling, stands
// for.
func groupMeant(name string) (string, bool) {
	if group, ok := cutFold(name, "group:"); ok && group != "" {
		return group, true
	}
	if namespace, ok := cutFold(name, "system:serviceaccounts:"); ok && len(validation.IsDNS1123Label(namespace)) == 0 {
		return "system:serviceaccounts:" + namespace, true
	}
	for _, group := range groupsOfKubernetes() {
		if strings.EqualFold(name, group) {
			return group, true
		}
	}
	return "", false
}

// cutFold is [strings.CutPrefix] without regard to case.
func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// likeAccount reports whether a name begins as those of service accounts do.
func likeAccount(name string) bool {
	_, like := cutFold(name, "system:serviceaccount")
	return like
}

// account returns the user name of the service account that a name stands for; empty if it
// stands for none. sure is set if nothing else can be meant.
func (p *parser) account(name string) (user string, sure bool) {
	if p.runsFlux(name) {
		return kinds.ServiceAccount(*p.spec.Flux.Namespace, name), false
	}
	parts := accountText.FindStringSubmatch(name)
	if parts == nil || len(validation.IsDNS1123Label(parts[2])) > 0 || len(validation.IsDNS1123Subdomain(parts[3])) > 0 {
		if likeAccount(name) {
			return kinds.ServiceAccount("NAMESPACE", "NAME"), true
		}
		return "", false
	}
	return kinds.ServiceAccount(parts[2], parts[3]), parts[1] != "" || slices.Contains(p.out.SystemNamespaces, parts[2])
}

// runsFlux reports whether a name is that of a service account as which Flux applies objects.
func (p *parser) runsFlux(name string) bool {
	return slices.Contains([]string{"kustomize-controller", "helm-controller", *p.spec.Flux.ServiceAccountName}, name)
}
