package profile

import (
	"fmt"
	"regexp"
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

// maxCount is the most that may be counted: the API server calculates in thousandths.
var maxCount = resource.MustParse("9P")

// classResources count what is of a class, by what follows the name of the class.
var classResources = []string{".storageclass.storage.k8s.io/requests.storage", ".storageclass.storage.k8s.io/persistentvolumeclaims", ".deviceclass.resource.k8s.io/devices"}

// uncounted are the resources that are in a namespace, and that no quota counts.
var uncounted = []string{"bindings", "events", "events.events.k8s.io", "localsubjectaccessreviews.authorization.k8s.io"}

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
		counts := r.quotaResource(at, name)
		q, ok := r.quantity(at, name, given.Hard[name])
		switch {
		case !ok:
		case counts && q.Cmp(maxCount) > 0:
			r.Report(at, codeQuantity, "leave it out to limit nothing", "must be at most 9P")
		case counts && !whole(q):
			r.Report(at, codeQuantity, "", "must be a whole number, not %s", q.String())
		default:
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
// counts. counts is set for one of which only whole numbers are accepted.
func (r *reporter) quotaResource(at, name string) (counts bool) {
	prefix, rest, qualified := strings.Cut(name, "/")
	switch {
	case slices.Contains(countedResources, name):
		return true
	case slices.Contains(measuredResources, name) || hugepages(strings.TrimPrefix(name, "requests.")):
		return false
	case !qualified:
		r.Report(at, codeQuotaResource, resourceHint(name), "a ResourceQuota knows no resource %q", name)
	case len(validation.IsQualifiedName(name)) > 0:
		r.Report(at, codeQuotaResource, "", "%q is not the name of a resource", name)
	case prefix == "count":
		r.countedKind(at, rest)
		return true
	case strings.HasPrefix(prefix, "requests."):
	case slices.ContainsFunc(classResources, func(suffix string) bool { return strings.HasSuffix(name, suffix) }):
		return true
	case strings.HasSuffix(prefix, ".k8s.io"):
		r.Report(at, codeQuotaResource, "write CLASS"+strings.Join(classResources, ", CLASS"), "a ResourceQuota counts nothing of this name")
	default:
		r.Report(at, codeQuotaResource, "write requests."+strings.TrimPrefix(name, "limits."), "a ResourceQuota counts only requests of %s", strings.TrimPrefix(name, "limits."))
	}
	return false
}

// resourceHint proposes a resource for a name that no quota knows.
func resourceHint(name string) string {
	for _, k := range kinds.All() {
		if k.Plural == name && k.Scope == kinds.Namespaced {
			return "write count/" + strings.TrimSuffix(name+"."+k.Group, ".")
		}
	}
	if requests := "requests." + strings.TrimPrefix(name, "limits."); slices.Contains(measuredResources, requests) || hugepages(strings.TrimPrefix(requests, "requests.")) {
		return "write " + requests
	}
	return diag.OneOf(name, slices.Concat(countedResources, measuredResources))
}

// hugepages reports whether a resource is of huge pages of some size.
func hugepages(name string) bool {
	size, ok := strings.CutPrefix(name, "hugepages-")
	if !ok || len(validation.IsQualifiedName(name)) > 0 || unbounded(size) {
		return false
	}
	_, err := resource.ParseQuantity(size)
	return err == nil
}

// countedKind refuses count/ of a resource that no API server has in a namespace: such a
// quota is accepted and never counts.
func (r *reporter) countedKind(at, name string) {
	plural, group, _ := strings.Cut(name, ".")
	var plurals, groups []string
	known := false
	for _, k := range kinds.All() {
		known = known || k.Group == group
		if k.Scope != kinds.Namespaced || slices.Contains(uncounted, strings.TrimSuffix(k.Plural+"."+k.Group, ".")) {
			continue
		}
		if k.Group == group {
			plurals = append(plurals, k.Plural)
		}
		if k.Plural == plural {
			groups = append(groups, strings.TrimSuffix(fmt.Sprintf("count/%s.%s", plural, k.Group), "."))
		}
	}
	// A group of others has a dot, and may be of .k8s.io, too.
	builtin := group == "" || !strings.Contains(group, ".") || known && strings.HasSuffix(group, ".k8s.io")
	if lower := strings.ToLower(name); !builtin && lower != name {
		r.Report(at, codeQuotaResource, "write count/"+lower, "counts nothing: names of resources are in lower case")
		return
	}
	if !builtin || slices.Contains(plurals, plural) {
		return
	}
	hint := diag.OneOf(plural, plurals)
	if len(groups) > 0 {
		hint = "write " + groups[0]
	}
	r.Report(at, codeQuotaResource, hint, "counts nothing: no namespace has %q to count", name)
}

// maxQuantity is what all quantities are below: a whole number of 64 bits can hold no more.
var maxQuantity = resource.MustParse("9223372036854775807")

// exponent is one of three digits or more, which no quantity needs. The numbers of some have
// more digits than there is memory, here and in the API server.
var exponent = regexp.MustCompile(`[eE][+-]?0*[1-9][0-9]{2,}$`)

// maxDigits is the length of a quantity up to which it is read.
const maxDigits = 64

// unbounded reports whether a text may take long to read as a quantity.
func unbounded(text string) bool { return len(text) > maxDigits || exponent.MatchString(text) }

// quantity parses an amount of a resource that is not negative.
func (r *reporter) quantity(at, name string, given any) (resource.Quantity, bool) {
	text := fmt.Sprint(given)
	switch given.(type) {
	case string, int64, float64:
	default:
		text = strings.Repeat("?", maxDigits+1)
	}
	if unbounded(text) {
		r.Report(at, codeQuantity, "", "must be a quantity, such as 4, 500m or 16Gi")
		return resource.Quantity{}, false
	}
	q, err := resource.ParseQuantity(text)
	switch {
	case err != nil:
		r.Report(at, codeQuantity, "write a number with a unit of Kubernetes, such as 4, 500m or 16Gi", "%q is not a quantity", text)
	case q.Sign() < 0:
		r.Report(at, codeQuantity, "", "must not be negative")
	case q.Cmp(maxQuantity) > 0:
		r.Report(at, codeQuantity, "leave it out to limit nothing", "must be less than 8Ei")
	case inBytes(name) && !whole(q):
		r.Report(at, codeQuantity, "for a million bytes write M, for 1024 times 1024 Mi; m is a thousandth", "must be whole bytes, not %s", q.String())
	default:
		return q, true
	}
	return q, false
}

// inBytes reports whether a resource, of a quota or of containers and claims, is in bytes.
func inBytes(name string) bool {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "requests."), "limits.")
	return slices.Contains([]string{"memory", "storage", "ephemeral-storage"}, name) || strings.HasPrefix(name, "hugepages-") || strings.HasSuffix(name, "/requests.storage")
}

func whole(q resource.Quantity) bool {
	rounded := resource.NewQuantity(q.Value(), resource.DecimalSI)
	return q.Cmp(*rounded) == 0
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
		types := []string{plan.LimitContainer, plan.LimitPod, plan.LimitClaim}
		r.oneOf(at+".type", codeLimitRange, item.Type, types)
		if !slices.Contains(types, item.Type) {
			continue
		}
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
		if len(given) > 0 && item.Type == plan.LimitClaim && field == "maxLimitRequestRatio" {
			l.Report(l.at+"."+field, codeLimitRange, "", "only containers and Pods have a ratio")
			continue
		}
		for _, name := range sortedKeys(given) {
			if given[name] == nil {
				continue
			}
			at := l.at + "." + field + "." + name
			l.limitedResource(at, item.Type, name)
			if q, ok := l.quantity(at, amountOf(field, name), given[name]); ok {
				l.fields[field][name] = q
			}
		}
	}
	wrong := l.compare()
	if item.Type == plan.LimitContainer {
		l.complete()
	}
	for name := range wrong { // said once
		for field := range l.fields {
			delete(l.fields[field], name)
		}
	}
	l.overcommit()
	l.ratios()
	switch bounds := quantities(item.Max, item.Min); { // as written: a wrong quantity is a problem of its own
	case bounds == 0 && item.Type == plan.LimitClaim:
		l.Report(l.at, codeLimitRange, "set min.storage or max.storage", "limits nothing")
	case bounds+quantities(item.Default, item.DefaultRequest, item.MaxLimitRequestRatio) == 0:
		l.Report(l.at, codeLimitRange, "set max, min, default, defaultRequest or maxLimitRequestRatio", "limits nothing")
	}
}

// amountOf returns the resource of which a field has an amount; empty for a ratio.
func amountOf(field, resource string) string {
	if field == "maxLimitRequestRatio" {
		return ""
	}
	return resource
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
	extended := strings.Contains(name, "/") && len(validation.IsQualifiedName("requests."+name)) == 0 && !strings.HasPrefix(name, "requests.")
	if !slices.Contains(known, name) && (of == plan.LimitClaim || !extended && !hugepages(name)) {
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

// compare refuses what ValidateLimitRange of the API server refuses, of the fields that are
// written: what the API server fills in is none the wrong way round unless they are. It
// returns the resources that are wrong.
func (l *limitItem) compare() map[string]bool {
	wrong := map[string]bool{}
	for _, pair := range [][2]string{{"min", "max"}, {"min", "defaultRequest"}, {"min", "default"}, {"defaultRequest", "default"}, {"defaultRequest", "max"}, {"default", "max"}} {
		for _, name := range sortedKeys(l.fields[pair[0]]) {
			small := l.fields[pair[0]][name]
			if large, given := l.fields[pair[1]][name]; given && small.Cmp(large) > 0 {
				wrong[name] = true
				l.Report(l.written(pair, name), codeLimitRange, "", "%s of %s is %s, and %s is %s", pair[0], name, small.String(), pair[1], large.String())
			}
		}
	}
	return wrong
}

// overcommit refuses a default limit that is not the request: nodes do not give more huge
// pages or devices than they have.
func (l *limitItem) overcommit() {
	for _, name := range sortedKeys(l.fields["default"]) {
		limit, request := l.fields["default"][name], l.fields["defaultRequest"][name]
		native := !strings.Contains(name, "/") || strings.Contains(name, "kubernetes.io/")
		if (!native || strings.HasPrefix(name, "hugepages-")) && limit.Cmp(request) != 0 {
			l.Report(l.written([2]string{"defaultRequest", "default"}, name), codeLimitRange, "", "default and defaultRequest of %s must be the same", name)
		}
	}
}

// ratios refuses a ratio that the API server refuses, and one that the defaults exceed.
func (l *limitItem) ratios() {
	for _, name := range sortedKeys(l.fields["maxLimitRequestRatio"]) {
		ratio := l.fields["maxLimitRequestRatio"][name]
		least, bounded := l.fields["min"][name]
		most, limited := l.fields["max"][name]
		request, requested := l.fields["defaultRequest"][name]
		limit := l.fields["default"][name]
		at := l.at + ".maxLimitRequestRatio." + name
		switch {
		case ratio.Cmp(resource.MustParse("1")) < 0:
			l.Report(at, codeLimitRange, "", "must be at least 1: no limit is below its request")
		case bounded && limited && exceeds(ratio, most, least):
			l.Report(at, codeLimitRange, "", "is more than max divided by min, which limit it already")
		case requested && request.Sign() == 0:
			l.Report(l.written([2]string{"min", "defaultRequest"}, name), codeLimitRange, "raise it", "refuses every container that sets nothing: a request of 0 has no ratio")
		case request.Sign() > 0 && limit.AsApproximateFloat64() > request.AsApproximateFloat64()*ratio.AsApproximateFloat64():
			l.Report(at, codeLimitRange, "raise defaultRequest, or lower default, which is max where it is not set",
				"refuses every container that sets nothing: default is more than %s times defaultRequest", ratio.String())
		}
	}
}

// exceeds reports whether a ratio is more than that of two quantities, as the API server
// calculates it: in thousandths, or if one is too large for that, in whole numbers.
func exceeds(ratio, most, least resource.Quantity) bool {
	given, max, min := float64(ratio.Value()), most.Value(), least.Value()
	if ratio.Value() < resource.MaxMilliValue && max < resource.MaxMilliValue && min < resource.MaxMilliValue {
		given, max, min = float64(ratio.MilliValue())/1000, most.MilliValue(), least.MilliValue()
	}
	return given > float64(max)/float64(min)
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
