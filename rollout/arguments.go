package rollout

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// tenancyPolicy is the policy of the control that keeps tenants apart in Flux. An
// environment that has it wants controllers that do so too.
const tenancyPolicy = "require-flux-service-account"

// lockdown is where Flux says how it is set up for tenants.
const lockdown = "https://fluxcd.io/flux/installation/configuration/multitenancy/"

// arguments are what a controller is started with, by flag. A flag without a value is true.
type arguments map[string]string

// argumentsOf reads the arguments of a controller of Flux. A value may be an argument of
// its own.
func argumentsOf(deployment manifest.Object) arguments {
	containers := deployment.Maps("spec", "template", "spec", "containers")
	i := slices.IndexFunc(containers, func(c manifest.Object) bool { return c["name"] == "manager" })
	if len(containers) == 0 {
		return nil
	}
	given := arguments{}
	last := ""
	for _, a := range containers[max(i, 0)].List("args") {
		text := fmt.Sprint(a)
		name, isFlag := strings.CutPrefix(text, "--")
		if !isFlag {
			if last != "" {
				given[last] = text
			}
			last = ""
			continue
		}
		name, value, found := strings.Cut(name, "=")
		if last = name; found {
			last = ""
		} else {
			value = "true"
		}
		given[name] = value
	}
	return given
}

// checkArguments checks that a controller of Flux, as it is started, acts on what the
// repository has for it, as the account that may.
func (b *Bootstrap) checkArguments(c *checks, controller string, deployment manifest.Object) {
	given := argumentsOf(deployment)
	b.checkAccount(c, controller, given["default-service-account"])
	b.checkScope(c, controller, given["watch-label-selector"])
	b.checkLockdown(c, controller, given)
}

// checkAccount refuses a default account where a layer names none: it would be applied
// as that account, which the policies do not know as a deployer. A HelmRelease of the
// repository names an account if the layers do.
func (b *Bootstrap) checkAccount(c *checks, controller, account string) {
	if account == "" || controller == "source-controller" || controller == "helm-controller" && len(b.Target.Releases) == 0 {
		return
	}
	unnamed := slices.ContainsFunc(b.Target.Kustomizations, func(k manifest.Object) bool { return k.String("spec", "serviceAccountName") == "" })
	if unnamed {
		c.wrong("set spec.flux.serviceAccountName: "+account+" in the profile, or in spec.overrides of the environment, and build again; the account needs the rights of a cluster admin",
			"Flux: %s applies as %s what names no service account (--default-service-account), and the repository names none", controller, account)
	}
}

// checkScope refuses a label selector that leaves out a layer. Sources may have labels
// that the repository does not know.
func (b *Bootstrap) checkScope(c *checks, controller, text string) {
	if text == "" || controller != "kustomize-controller" {
		return
	}
	selector, err := labels.Parse(text)
	if err != nil {
		c.warn("", "Flux: %s watches %q, which cannot be read: %v", controller, text, err)
		return
	}
	for _, o := range b.Target.Kustomizations {
		set := labels.Set{}
		for key := range o.Map("metadata", "labels") {
			set[key] = o.String("metadata", "labels", key)
		}
		if !selector.Matches(set) {
			c.wrong("start it with a --watch-label-selector that leaves out only the objects of other shards, such as !sharding.fluxcd.io/key",
				"Flux: %s watches only %q, and does not see %s", controller, text, display(o))
			return
		}
	}
}

// checkLockdown warns of a controller that lets tenants reach further than the policies
// mean to.
func (b *Bootstrap) checkLockdown(c *checks, controller string, given arguments) {
	if !slices.ContainsFunc(b.Target.Policies, func(p manifest.Object) bool { return p.Name() == tenancyPolicy }) {
		return
	}
	var missing []string
	for _, flag := range map[string][]string{
		"kustomize-controller": {"no-cross-namespace-refs", "no-remote-bases"},
		"helm-controller":      {"no-cross-namespace-refs"},
	}[controller] {
		if given[flag] != "true" {
			missing = append(missing, "--"+flag)
		}
	}
	if len(missing) > 0 {
		c.warn(lockdown, "Flux: %s runs without %s, which keeps tenants apart while no policy does", controller, strings.Join(missing, " and "))
	}
}

// checkRunning checks a controller of Flux that is in the cluster, or not.
func (b *Bootstrap) checkRunning(c *checks, controller string, deployment manifest.Object, err error) {
	switch {
	case kube.IsAbsent(err):
		c.warn("nothing is applied unless it runs elsewhere or under another name", "Flux: there is no Deployment %s in %s", controller, b.Target.Namespace)
		return
	case err != nil:
		c.wrong("", "Flux: reading the Deployment %s: %v", controller, err)
		return
	case number(deployment.Value("status", "availableReplicas")) == 0:
		c.warn("kubectl -n "+b.Target.Namespace+" describe deployment "+controller, "Flux: %s is not available", controller)
	default:
		c.ok("Flux: %s is available", controller)
	}
	b.checkArguments(c, controller, deployment)
}
