package impact

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
	"github.com/gatehouse-dev/gatehouse/judge/workload"
)

// unsure replaces the findings about a workload that depend on a field which is not known. A
// control depends on one if its rules name the field, or if the verdicts about several values
// differ: either may be wrong alone, and what is not known must never look fine.
func unsure(b *bump, s *side, w workload.Workload, findings []Finding, verdicts []engine.Evaluation) []Finding {
	said, asked := opinionsOf(verdicts)
	base := Finding{Environment: b.step.Environment, Owner: b.owner(w), Kind: w.Kind, Namespace: w.Namespace, Name: w.Name, Position: w.At, Cluster: w.Root, By: w.By, Template: w.Template, Status: Unknown}
	if kind := kindOf(w.Unknown); asked == 0 || len(kind) > 0 {
		if len(kind) == 0 {
			kind = w.Unknown
		}
		base.Message = why(kind)
		return []Finding{base}
	}
	for _, policy := range slices.Sorted(maps.Keys(said)) {
		fields := s.reads(policy, w.Unknown)
		at := slices.IndexFunc(findings, func(f Finding) bool { return f.Control == policy })
		same := said[policy].same(asked) && (at < 0 || findings[at].Status != Errored || said[policy].errors == asked)
		if len(fields) == 0 && same {
			continue
		}
		if len(fields) == 0 {
			fields = w.Unknown
		}
		if at >= 0 && findings[at].Status == Exempt && same {
			continue
		}
		if at >= 0 {
			findings = slices.Delete(findings, at, at+1)
		}
		f := base
		f.Control, f.Message = policy, why(fields)
		findings = append(findings, f)
	}
	for _, p := range s.env.Judges() {
		if fields := selected(p, w); len(fields) > 0 && said[p.Name] == nil && slices.Contains(s.policies, p.Name) {
			f := base
			f.Control, f.Message = p.Name, why(fields)
			findings = append(findings, f)
		}
	}
	return slices.DeleteFunc(findings, func(f Finding) bool { return f.Status == Errored && f.Control == "" })
}

// opinion is what one control says of a workload with several values for what is not known.
type opinion struct {
	// texts are its outcomes, and heard is how many there were.
	texts map[string]bool
	heard int
	// errors is how many values it could not judge, such as a number where a text belongs.
	errors int
}

// same reports whether it said the same of all values that it could judge, of those that were
// asked about. Of one that makes no sense, the API server says no.
func (o *opinion) same(asked int) bool {
	if o.errors == asked {
		return true
	}
	return len(o.texts) == 1 && o.heard+o.errors == asked
}

// opinionsOf returns what each control says, and about how many values one was asked.
func opinionsOf(verdicts []engine.Evaluation) (all map[string]*opinion, asked int) {
	all = map[string]*opinion{}
	for _, v := range verdicts {
		if _, failed := failure(v); failed {
			continue // a value that makes no sense
		}
		asked++
		for policy, outcome := range outcomesOf(v.Result) {
			o := all[policy]
			if o == nil {
				o = &opinion{texts: map[string]bool{}}
				all[policy] = o
			}
			if outcome == "" {
				o.errors++
				continue
			}
			o.heard++
			o.texts[outcome] = true
		}
	}
	return all, asked
}

// kindOf returns the fields that say what an object is. No policy is asked about a kind that is
// made up.
func kindOf(unknown []fluxtree.Unknown) []fluxtree.Unknown {
	var fields []fluxtree.Unknown
	for _, f := range unknown {
		if len(f.Keys) == 1 && (f.Keys[0] == "kind" || f.Keys[0] == "apiVersion") {
			fields = append(fields, f)
		}
	}
	return fields
}

// selected returns the fields that are not known, and by which a policy selects some objects of
// the kind: their namespaces or their labels. That it says nothing then does not mean that it
// will not.
func selected(p plan.Policy, w workload.Workload) []fluxtree.Unknown {
	var fields []fluxtree.Unknown
	if !slices.ContainsFunc(p.Matches, func(ref kinds.Ref) bool { return ref.Matches(kinds.Group(w.APIVersion), w.Kind) }) {
		return nil
	}
	byLabels := selects(p.Body)
	for _, f := range w.Unknown {
		field := ""
		if len(f.Keys) > 1 && f.Keys[0] == "metadata" {
			field = f.Keys[1]
		}
		if field == "namespace" || byLabels && (len(f.Keys) == 0 || field == "labels" || field == "annotations") {
			fields = append(fields, f)
		}
	}
	return fields
}

// selects reports whether a part of a policy selects objects by their labels or annotations.
func selects(part any) bool {
	switch part := part.(type) {
	case []any:
		return slices.ContainsFunc(part, selects)
	case map[string]any:
		for key, value := range part {
			if key == "selector" || key == "objectSelector" || key == "resources" && has(value, "annotations") || selects(value) {
				return true
			}
		}
	}
	return false
}

func has(value any, key string) bool {
	m, _ := value.(map[string]any)
	_, ok := m[key]
	return ok
}

// outcomesOf returns what each policy says, as text; empty for one that could not say it.
func outcomesOf(r *engine.EvaluateResult) map[string]string {
	all, failed := map[string]string{}, map[string]bool{}
	for _, one := range r.Results {
		all[one.Policy] += fmt.Sprint(one.Rule, one.Result, one.Blocks, one.Exceptions, ";")
		failed[one.Policy] = failed[one.Policy] || one.Result == engine.OutcomeError
	}
	for policy := range failed {
		if failed[policy] {
			all[policy] = ""
		}
	}
	return all
}

// why says what is not known.
func why(fields []fluxtree.Unknown) string {
	const most = 3
	texts := fluxtree.Whys(fields)
	if more := len(texts) - most; more > 0 {
		texts = append(texts[:most], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}

// reads returns the fields that the rules of a policy name.
func (s *side) reads(policy string, fields []fluxtree.Unknown) []fluxtree.Unknown {
	words, known := s.words[policy]
	var read []fluxtree.Unknown
	for _, f := range fields {
		if !known || identifies(f.Keys) || mentions(words, f.Keys) {
			read = append(read, f)
		}
	}
	return read
}

// identifies reports whether a field decides which policies and exceptions an object meets.
// No keys mean any field, and so does one that holds most of the object.
func identifies(keys []string) bool {
	if len(keys) < 2 || slices.Contains([]string{"spec", "metadata", "template", "jobTemplate"}, keys[len(keys)-1]) {
		return true
	}
	return len(keys) == 2 && keys[0] == "metadata" && slices.Contains([]string{"name", "generateName", "namespace"}, keys[1])
}

// mentions reports whether words name a field: its key, and that of what it lies in. Keys of
// labels and the like are data, so there the name of the mapping is enough.
func mentions(words map[string]bool, keys []string) bool {
	leaf, parent := keys[len(keys)-1], keys[len(keys)-2]
	switch parent {
	case "labels", "annotations", "matchLabels", "nodeSelector", "data", "stringData", "parameters", "limits", "requests":
		return words[parent]
	case "spec", "metadata", "template", "jobTemplate":
		return words[leaf]
	}
	return words[leaf] && words[parent]
}

var word = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

// wordsOf returns the words in the rules of policies, by name.
func wordsOf(policies []plan.Policy) map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for _, p := range policies {
		words := map[string]bool{}
		for key, part := range p.Body {
			if key != "metadata" {
				collect(words, part, false)
			}
		}
		for list, meant := range celLists {
			for _, word := range meant {
				words[word] = words[word] || words[list] && p.Target != catalog.ClusterPolicy
			}
		}
		all[p.Name] = words
	}
	return all
}

// celLists are the lists that checks in CEL get of a Pod, with the fields that they are made of.
var celLists = map[string][]string{
	"containers": {"initContainers", "ephemeralContainers"},
	"contexts":   {"containers", "initContainers", "ephemeralContainers", "securityContext"},
	"images":     {"containers", "initContainers", "ephemeralContainers", "volumes", "image", "reference"},
}

// collect collects the words of a part of a policy. The keys of Kyverno's own fields are no
// words of the rule, and those of patterns and selectors are. Messages decide nothing.
func collect(words map[string]bool, part any, keys bool) {
	switch part := part.(type) {
	case string:
		for _, w := range word.FindAllString(part, -1) {
			words[w] = true
		}
	case []any:
		for _, item := range part {
			collect(words, item, keys)
		}
	case map[string]any:
		for key, value := range part {
			if keys {
				collect(words, key, false)
			}
			switch key {
			case "message", "messageExpression":
			case "pattern", "anyPattern", "selector", "objectSelector", "annotations":
				collect(words, value, true)
			default:
				collect(words, value, keys)
			}
			if key == "selector" || key == "objectSelector" {
				words["labels"] = true
			}
		}
	}
}
