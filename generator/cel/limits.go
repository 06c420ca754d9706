package cel

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

// A check costs more the more there is to look at, and the API server gives up a policy
// that costs too much: what is enforced is then refused without a name, and what is audited
// is admitted without a report. So an object that is too large is refused, or reported,
// before it is judged. TestCosts (engine/proof) shows that the largest ones can be judged.

// limit is the most of something that an object of some kinds may have to be judged.
type limit struct {
	group   string
	plurals []string
	// large is true for an object o that has more.
	large string
	most  string
	// deployers is set if checks do not judge what deployers write.
	deployers bool
}

// What people write has a fraction of each.
const (
	maxContainers, maxVolumes = 250, 500
	maxEntries                = 2500 // of containers: variables, ports and capabilities; and sysctls
	maxRules                  = 2000 // what the rules of a role give, one verb on one resource each
	narrowRules               = 8    // what gives nothing wide counts that much less
	maxPeers                  = 500
	maxHosts                  = 400
	maxSubjects               = 2500
	maxList                   = 1000
)

// ofPods is the limit for Pods and what has a template of them.
func ofPods() limit {
	return limit{
		large: larger("o", maxContainers, maxVolumes, maxEntries),
		most:  fmt.Sprintf("A Pod may have at most %d containers and %d volumes, and %d variables, ports, capabilities and sysctls.", maxContainers, maxVolumes, maxEntries),
	}
}

// larger is true for a Pod or template that has more of something than so many.
func larger(pod string, containers, volumes, entries int) string {
	return fmt.Sprintf(`%[1]s.containers.size() > %[2]d || %[1]s.spec.?volumes.orValue([]).size() > %[3]d || (%[1]s.containers.map(c, %[4]s.size()) + [%[1]s.spec.?securityContext.?sysctls.orValue([]).size()]).sum() > %[5]d`,
		pod, containers, volumes, strings.Join([]string{
			"c.?env.orValue([])", "c.?envFrom.orValue([])", "c.?ports.orValue([])",
			"c.?securityContext.?capabilities.?add.orValue([])", "c.?securityContext.?capabilities.?drop.orValue([])",
		}, ".size() + "), entries)
}

// limits are those of other kinds.
func limits() []limit {
	atMost := func(n int, lists ...string) string {
		return fmt.Sprintf("%s.size() > %d", strings.Join(lists, ".size() + "), n)
	}
	number := func(list string) string { return fmt.Sprintf("[%s.size(), 1].max()", list) }
	peers := func(direction, peers string) string {
		return fmt.Sprintf("o.?spec.?%s.orValue([]).map(r, %s * %s).sum()", direction, number("r.?ports.orValue([])"), number("r.?"+peers+".orValue([])"))
	}
	given := "r.?verbs.orValue([]).size() * (r.?resources.orValue([]).size() + r.?nonResourceURLs.orValue([]).size()) * " +
		number("r.?apiGroups.orValue([])") + " * " + number("r.?resourceNames.orValue([])")
	wide := `(r.?verbs.orValue([]).exists(v, v.contains("*") || v.startsWith("impersonate") || v in ["bind", "escalate"]) || r.?resources.orValue([]).exists(s, s.contains("*")))`
	return []limit{
		{
			"rbac.authorization.k8s.io", []string{"roles", "clusterroles"},
			fmt.Sprintf("o.?rules.orValue([]).size() > %d || o.?rules.orValue([]).map(r, %s / (%s ? 1 : %d)).sum() > %d", maxRules, given, wide, narrowRules, maxRules),
			fmt.Sprintf("The rules of a role may give at most %d verbs on resources with wildcards or to escalate, and %d others, each group and name counted.", maxRules, maxRules*narrowRules), false,
		},
		{
			"rbac.authorization.k8s.io", []string{"rolebindings", "clusterrolebindings"}, atMost(maxSubjects, "o.?subjects.orValue([])"),
			fmt.Sprintf("A binding may have at most %d subjects.", maxSubjects), false,
		},
		{
			"networking.k8s.io", []string{"networkpolicies"},
			fmt.Sprintf("%s > %d || %s > %d || (%s + %s) > %d", "o.?spec.?ingress.orValue([]).size()", maxPeers, "o.?spec.?egress.orValue([]).size()", maxPeers,
				peers("ingress", "from"), peers("egress", "to"), maxPeers),
			fmt.Sprintf("The rules of a NetworkPolicy may have at most %d peers, each port counted.", maxPeers), true,
		},
		{
			"networking.k8s.io", []string{"ingresses"},
			fmt.Sprintf("o.?spec.?rules.orValue([]).size() > %d || o.?spec.?tls.orValue([]).size() > %d || ", maxHosts, maxHosts) +
				fmt.Sprintf("o.?spec.?rules.orValue([]).map(r, r.?http.?paths.orValue([]).size()).sum() > %d || o.?spec.?tls.orValue([]).map(t, t.?hosts.orValue([]).size()).sum() > %d", maxList, maxHosts),
			fmt.Sprintf("An Ingress may have at most %d rules, %d paths, and %d hosts of TLS.", maxHosts, maxList, maxHosts), false,
		},
		{
			"", []string{"services"}, atMost(maxList, "o.?spec.?ports.orValue([])", "o.?spec.?externalIPs.orValue([])"),
			fmt.Sprintf("A Service may have at most %d ports and external IPs.", maxList), false,
		},
		{
			"fluxcd", nil,
			"dyn([o.?spec.orValue({})]).exists(s, " + atMost(maxList, "s.?sources.orValue([])", "s.?eventSources.orValue([])", "s.?resources.orValue([])", "s.?dependsOn.orValue([])") + ")",
			fmt.Sprintf("An object of Flux may name at most %d sources, resources and dependencies.", maxList), false,
		},
	}
}

// covers reports whether the limit is for a kind.
func (l limit) covers(k kinds.Kind) bool {
	if l.plurals == nil {
		return strings.Contains(k.Group, l.group)
	}
	return k.Group == l.group && slices.Contains(l.plurals, k.Plural)
}

// limit returns that of the family; none if its kinds have no limit in common, or only who
// writes is judged.
func (o *object) limit() (limit, bool) {
	if o.family.pods {
		return ofPods(), true
	}
	for _, l := range limits() {
		all := true
		for _, ref := range o.family.kinds {
			all = all && !slices.ContainsFunc(ref.Kinds(), func(k kinds.Kind) bool { return !l.covers(k) })
		}
		if all {
			return l, true
		}
	}
	return limit{}, false
}

// sized are variables that are true for a request whose object is large, and for an update
// that leaves what checks look at as it is: its finalizers can be removed, and it is not
// judged.
func (o *object) sized() []any {
	l, found := o.limit()
	if !found {
		return []any{variable("same", unchanged())}
	}
	list := "variables.objects"
	if o.family.pods {
		list = "variables.templates"
	}
	large, exempt := list+".exists(o, "+l.large+")", ""
	if l.deployers {
		exempt = by(o.env.Deployers)
	}
	for _, c := range o.checks {
		exempt = cmp.Or(exempt, c.exempt())
	}
	if exempt != "" {
		large = "!" + exempt + " && " + large
	}
	if where := o.someScope(); where != "" {
		large = where + "(" + large + ")"
	}
	return []any{
		variable("oversized", large),
		variable("same", unchanged()+" ||\n"+kept(list)+" && variables.oversized"),
		variable("large", "!variables.same && variables.oversized"),
	}
}

// unchanged is true for an update that changes nothing but what the API server writes.
func unchanged() string {
	metadata := func(i int) string { return fmt.Sprintf("variables.objects[%d].?metadata.orValue({})", i) }
	return "variables.objects.size() > 1 && " + equalBut("variables.objects[0]", "variables.objects[1]", "metadata") +
		" && " + equalBut(metadata(0), metadata(1), "managedFields", "resourceVersion", "generation")
}

// kept is true for an update that leaves what there is in the first two of a list as it is,
// but for metadata other than labels and annotations.
func kept(list string) string {
	return list + ".size() > 1 && " + equalBut(list+"[0]", list+"[1]", "metadata", "status") +
		fmt.Sprintf(` && ["labels", "annotations"].all(f, %s[0].?metadata[?f] == %s[1].?metadata[?f])`, list, list)
}

// equalBut is true if two maps differ in no other field than those.
func equalBut(a, b string, but ...string) string {
	return fmt.Sprintf("[[dyn(%s), dyn(%s)]].all(l, l.all(o, o.all(k, k in %s || l[0][?k] == l[1][?k])))", a, b, literal(but))
}

// The most pairs of offenders of the new object and the old one that are compared, and for
// wildcards the most pairs of characters: an update of an object with more is refused for
// all of its offenders, unless the old one has the same.
const (
	maxPairs         = 200_000
	maxWildcardPairs = 3000
	maxCharacters    = 8_000_000
)
