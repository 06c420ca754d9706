package profile

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

const (
	codeQuantity      = "quantity-invalid"
	codeQuotaResource = "quota-resource"
	codeLimitRange    = "limit-range"
)

// Resources of a quota, besides those that are named by a prefix, as ResourceQuota of
// Kubernetes 1.36 knows them. Counted ones are whole numbers.
var (
	countedResources  = []string{"configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets", "services", "services.loadbalancers", "services.nodeports"}
	measuredResources = []string{"cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.storage", "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage"}
)

// quota parses the quota of a namespace; nil for none.
func (r *reporter) quota(field string, given *v1alpha1.ResourceQuota) plan.Quota {
	if given == nil {
		return nil
	}
	field += ".hard"
	quota := plan.Quota{}
	for _, name := range sortedKeys(given.Hard) {
		if given.Hard[name] == nil {
			continue
		}
		at := field + "." + name
		whole := r.quotaResource(at, name)
		if q, ok := r.quantity(at, given.Hard[name]); ok {
			if whole && q.MilliValue()%1000 != 0 {
				r.Report(at, codeQuantity, "", "must be a whole number, not %s", q.String())
			}
			quota[name] = q.String()
		}
	}
	if len(given.Hard) == 0 {
		r.Report(field, codeQuotaResource, "name a resource, such as pods or requests.memory", "limits nothing")
		return nil
	}
	if len(quota) == 0 {
		return nil
	}
	return quota
}

// quotaResource refuses a resource that the API server does not know, or knows and never
// counts. whole is set for one of which only whole numbers are accepted.
func (r *reporter) quotaResource(at, name string) (whole bool) {
	prefix, rest, qualified := strings.Cut(name, "/")
	switch {
	case slices.Contains(countedResources, name):
		return true
	case slices.Contains(measuredResources, name) || strings.HasPrefix(strings.TrimPrefix(name, "requests."), "hugepages-") && !qualified:
		return false
	case !qualified:
		r.Report(at, codeQuotaResource, diag.OneOf(name, slices.Concat(countedResources, measuredResources)), "a ResourceQuota knows no resource %q", name)
	case prefix == "count":
		r.countedKind(at, rest)
		return true
	case len(validation.IsQualifiedName(name)) > 0:
		r.Report(at, codeQuotaResource, "", "%q is not the name of a resource", name)
	case strings.HasPrefix(prefix, "requests."):
	case strings.Contains(prefix, "class.") && strings.HasSuffix(prefix, ".k8s.io"): // of storage, volume attributes, devices
		return true
	default:
		r.Report(at, codeQuotaResource, "write requests."+strings.TrimPrefix(name, "limits."), "a ResourceQuota counts only requests of %s", strings.TrimPrefix(name, "limits."))
	}
	return false
}

// countedKind refuses count/ of a resource that no API server has: such a quota is accepted
// and never counts.
func (r *reporter) countedKind(at, name string) {
	plural, group, _ := strings.Cut(name, ".")
	var plurals, groups []string
	for _, k := range kinds.All() {
		if k.Group == group {
			plurals = append(plurals, k.Plural)
		}
		if k.Plural == plural && k.Group != "" {
			groups = append(groups, fmt.Sprintf("count/%s.%s", plural, k.Group))
		}
	}
	builtin := group == "" || !strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io")
	if !builtin || len(plurals) == 0 || slices.Contains(plurals, plural) {
		return
	}
	hint := diag.OneOf(plural, plurals)
	if len(groups) > 0 {
		hint = "write " + groups[0]
	}
	r.Report(at, codeQuotaResource, hint, "counts nothing: the API server has no resource %q", name)
}

// quantity parses an amount that is not negative.
func (r *reporter) quantity(at string, given any) (resource.Quantity, bool) {
	switch given.(type) {
	case string, int64, float64:
	default:
		r.Report(at, codeQuantity, "", "must be a quantity, such as 4, 500m or 16Gi")
		return resource.Quantity{}, false
	}
	q, err := resource.ParseQuantity(fmt.Sprint(given))
	switch {
	case err != nil:
		r.Report(at, codeQuantity, "write a number with a unit of Kubernetes, such as 4, 500m or 16Gi", "%q is not a quantity", fmt.Sprint(given))
	case q.Sign() < 0:
		r.Report(at, codeQuantity, "", "must not be negative")
	default:
		return q, true
	}
	return q, false
}

// limitRange parses the limits of a namespace, by type; nil for none.
func (r *reporter) limitRange(field string, given *v1alpha1.LimitRange) []plan.LimitRange {
	if given == nil {
		return nil
	}
	field += ".limits"
	if len(given.Limits) == 0 {
		r.Report(field, codeLimitRange, "", "needs at least one entry")
	}
	var all []plan.LimitRange
	for i, item := range given.Limits {
		at := fmt.Sprintf("%s[%d]", field, i)
		r.oneOf(at+".type", codeLimitRange, item.Type, []string{plan.LimitContainer, plan.LimitPod, plan.LimitClaim})
		if slices.ContainsFunc(all, func(l plan.LimitRange) bool { return l.Type == item.Type }) {
			r.Report(at+".type", codeLimitRange, "", "%s has another entry", item.Type)
			continue
		}
		limits := limitItem{at: at, reporter: r, fields: map[string]map[string]resource.Quantity{}}
		limits.parse(item)
		all = append(all, limits.plan(item.Type))
	}
	slices.SortFunc(all, func(a, b plan.LimitRange) int { return strings.Compare(a.Type, b.Type) })
	return all
}

// limitItem is an entry of a LimitRange while it is parsed: its quantities, by field and
// resource.
type limitItem struct {
	*reporter
	at     string
	fields map[string]map[string]resource.Quantity
}

func (l *limitItem) parse(item v1alpha1.LimitRangeItem) {
	for field, given := range map[string]map[string]any{
		"max": item.Max, "min": item.Min, "default": item.Default, "defaultRequest": item.DefaultRequest, "maxLimitRequestRatio": item.MaxLimitRequestRatio,
	} {
		l.fields[field] = map[string]resource.Quantity{}
		if len(given) > 0 && item.Type != plan.LimitContainer && strings.HasPrefix(field, "default") {
			l.Report(l.at+"."+field, codeLimitRange, "", "only containers have defaults")
			continue
		}
		for _, name := range sortedKeys(given) {
			if given[name] == nil {
				continue
			}
			at := l.at + "." + field + "." + name
			l.limitedResource(at, item.Type, name)
			if q, ok := l.quantity(at, given[name]); ok {
				l.fields[field][name] = q
			}
		}
	}
	if item.Type == plan.LimitContainer {
		l.complete()
	}
	l.compare()
	switch bounds := quantities(item.Max, item.Min); { // as written: a wrong quantity is a problem of its own
	case bounds == 0 && item.Type == plan.LimitClaim:
		l.Report(l.at, codeLimitRange, "set min.storage or max.storage", "limits nothing")
	case bounds+quantities(item.Default, item.DefaultRequest, item.MaxLimitRequestRatio) == 0:
		l.Report(l.at, codeLimitRange, "set max, min, default, defaultRequest or maxLimitRequestRatio", "limits nothing")
	}
}

// quantities counts those that are not null.
func quantities(fields ...map[string]any) (n int) {
	for _, field := range fields {
		for _, given := range field {
			if given != nil {
				n++
			}
		}
	}
	return n
}

func (l *limitItem) limitedResource(at, of, name string) {
	known := []string{"cpu", "memory", "ephemeral-storage"}
	if of == plan.LimitClaim {
		known = []string{"storage"}
	}
	qualified := strings.Contains(name, "/") && len(validation.IsQualifiedName(name)) == 0
	if !slices.Contains(known, name) && (of == plan.LimitClaim || !qualified && !strings.HasPrefix(name, "hugepages-")) {
		l.Report(at, codeLimitRange, diag.OneOf(name, known), "a %s has no resource %q", of, name)
	}
}

// complete fills in what the API server would, so that what a change of one field does to
// the others shows. The order is that of SetDefaults_LimitRangeItem.
func (l *limitItem) complete() {
	for _, from := range [][2]string{{"max", "default"}, {"default", "defaultRequest"}, {"min", "defaultRequest"}} {
		for name, q := range l.fields[from[0]] {
			if _, given := l.fields[from[1]][name]; !given {
				l.fields[from[1]][name] = q
			}
		}
	}
}

// compare refuses what ValidateLimitRange of the API server refuses.
func (l *limitItem) compare() {
	for _, pair := range [][2]string{{"min", "max"}, {"min", "defaultRequest"}, {"min", "default"}, {"defaultRequest", "default"}, {"defaultRequest", "max"}, {"default", "max"}} {
		for _, name := range sortedKeys(l.fields[pair[0]]) {
			small := l.fields[pair[0]][name]
			if large, given := l.fields[pair[1]][name]; given && small.Cmp(large) > 0 {
				l.Report(l.written(pair, name), codeLimitRange, "", "%s of %s is %s, and %s is %s", pair[0], name, small.String(), pair[1], large.String())
			}
		}
	}
	for _, name := range sortedKeys(l.fields["default"]) { // hugepages and devices cannot be overcommitted
		limit, request := l.fields["default"][name], l.fields["defaultRequest"][name]
		if (strings.Contains(name, "/") || strings.HasPrefix(name, "hugepages-")) && limit.Cmp(request) != 0 {
			l.Report(l.written([2]string{"defaultRequest", "default"}, name), codeLimitRange, "", "default and defaultRequest of %s must be the same", name)
		}
	}
	for _, name := range sortedKeys(l.fields["maxLimitRequestRatio"]) {
		ratio := l.fields["maxLimitRequestRatio"][name]
		least, most := l.fields["min"][name], l.fields["max"][name]
		request, limit := l.fields["defaultRequest"][name], l.fields["default"][name]
		at := l.at + ".maxLimitRequestRatio." + name
		switch {
		case ratio.Cmp(resource.MustParse("1")) < 0:
			l.Report(at, codeLimitRange, "", "must be at least 1: no limit is below its request")
		case least.Sign() > 0 && most.Sign() > 0 && most.AsApproximateFloat64() < times(least, ratio):
			l.Report(at, codeLimitRange, "", "is more than max divided by min, which limit it already")
		case request.Sign() > 0 && limit.AsApproximateFloat64() > times(request, ratio):
			l.Report(at, codeLimitRange, "raise defaultRequest, or lower default, which is max where it is not set",
				"refuses every container that sets nothing: default is more than %s times defaultRequest", ratio.String())
		}
	}
}

func times(q, ratio resource.Quantity) float64 {
	return q.AsApproximateFloat64() * ratio.AsApproximateFloat64()
}

// written returns the path of the second of two fields that the profile has, or of the first.
func (l *limitItem) written(pair [2]string, name string) string {
	for _, field := range []string{pair[1], pair[0]} {
		at := l.at + "." + field + "." + name
		if _, ok := l.Positions.Lookup(at); ok {
			return at
		}
	}
	return l.at
}

func (l *limitItem) plan(of string) plan.LimitRange {
	text := func(field string) map[string]string {
		out := map[string]string{}
		for name, q := range l.fields[field] {
			out[name] = q.String()
		}
		if len(out) == 0 {
			return nil
		}
		return out
	}
	return plan.LimitRange{Type: of, Max: text("max"), Min: text("min"), Default: text("default"), DefaultRequest: text("defaultRequest"), MaxLimitRequestRatio: text("maxLimitRequestRatio")}
}

// quotaLints warns of a quota that refuses Pods for what they do not say. A quota of compute
// resources refuses each Pod with a container that does not set them.
func (p *parser) quotaLints() {
	for _, n := range p.out.Namespaces {
		var missing []string
		for _, name := range sortedKeys(n.Quota) {
			if !p.hasDefault(n, name) {
				missing = append(missing, name)
			}
		}
		if len(missing) > 0 {
			p.Warn(n.Field+".resourceQuota", "quota-without-defaults", "set default and defaultRequest in limitRange, or switch the controls on that require them",
				"refuses Pods of which a container does not set %s", strings.Join(missing, ", "))
		}
	}
}

// hasDefault reports whether every container has a value for a resource of a quota, or
// needs none.
func (p *parser) hasDefault(n Namespace, name string) bool {
	requirement, resource, limits := "require-requests-limits", strings.TrimPrefix(name, "requests."), false
	if after, ok := strings.CutPrefix(name, "limits."); ok {
		resource, limits = after, true
	}
	if resource != "cpu" && resource != "memory" {
		return true
	}
	if limits && resource == "cpu" {
		requirement = "require-cpu-limits"
	}
	for _, l := range n.LimitRange {
		defaults := l.DefaultRequest
		if limits {
			defaults = l.Default
		}
		if _, ok := defaults[resource]; ok && l.Type == plan.LimitContainer {
			return true
		}
	}
	return slices.ContainsFunc(p.out.Controls, func(c Control) bool { return c.ID == requirement && c.MaxStage >= 0 })
}
