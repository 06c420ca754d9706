package generator

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

const (
	// caseNamespace is where the cases of the catalogue put what may be anywhere.
	caseNamespace = "apps"
	// testNamespace and a tier is where the tests put it.
	testNamespace = "gatehouse-test-"

	// What a rule says.
	fail, skip = "fail", "skip"
)

// Tests emits what upstream's `kyverno test tests/` runs: a folder
// tests/<env>/policies/<policy>/ for every policy with cases whose results are
// known, and tests/<env>/exceptions/<name>/ for every exception that one of
// them shows. All cases are in a namespace of the strictest tier; one for each
// rule is in the other tiers, and expected to be left alone where the policy is
// off. So the size depends on policies and tiers, not on namespaces.
//
// `kyverno test` knows no update of another object, no subresource and no
// second user, and its policies see no cluster; what needs these is left out.
func Tests(p *plan.Plan, in *Input) ([]manifest.File, diag.List) {
	var files []manifest.File
	var problems diag.List
	judged := map[string]*policyCases{} // the parameters are the same in each environment
	for _, env := range p.Environments {
		before := len(files)
		e := &testEmitter{plan: p, env: env, cases: judged}
		for _, policy := range env.Policies {
			if _, done := judged[policy.Name]; !done {
				cases, err := casesOf(in.Catalog, policy)
				if err != nil {
					problems.Add(diag.Diagnostic{Code: "control-tests", Position: policy.At, Summary: err.Error()})
				}
				judged[policy.Name] = cases
			}
			files = append(files, e.policy(policy)...)
		}
		for _, x := range env.Exceptions {
			files = append(files, e.exception(x)...)
		}
		if len(files) > before {
			files = append(files, e.user())
		}
	}
	return files, problems
}

// policyCases are the cases of a policy with known results.
type policyCases struct{ good, bad []catalog.JudgedCase }

func casesOf(c *catalog.Catalog, policy plan.Policy) (*policyCases, error) {
	control, ok := c.Control(policy.Control)
	if !ok {
		panic("not validated: control " + policy.Control)
	}
	good, bad, err := control.Judged(policy.Parameters)
	if err != nil {
		return &policyCases{}, err
	}
	taken := map[string]bool{}
	twice := func(j catalog.JudgedCase) bool { // results name resources by name alone
		name := objectName(j)
		defer func() { taken[name] = true }()
		return taken[name]
	}
	return &policyCases{good: slices.DeleteFunc(good, twice), bad: slices.DeleteFunc(bad, twice)}, nil
}

// testEmitter makes the tests of one environment.
type testEmitter struct {
	plan  *plan.Plan
	env   plan.Environment
	cases map[string]*policyCases
}

// suite is one folder with a test of one policy.
type suite struct {
	dir        string // below tests/<env>
	policy     plan.Policy
	exception  string // empty for none
	resources  []manifest.Object
	namespaces map[string]string // tier by namespace
	results    map[expectation][]any
}

type expectation struct{ rule, result string }

func newSuite(dir string, policy plan.Policy) *suite {
	return &suite{dir: dir, policy: policy, namespaces: map[string]string{}, results: map[expectation][]any{}}
}

// add puts a copy of the case under a name in a namespace of a tier, and
// returns how results refer to it.
func (s *suite) add(j catalog.JudgedCase, name, namespace, tier string) string {
	o := manifest.Object(runtime.DeepCopyJSON(j.Object))
	s.resources = append(s.resources, o)
	o.Metadata()["name"] = name
	if namespace == "" {
		return name
	}
	move(map[string]any(o), j.Namespace, namespace)
	s.namespaces[namespace] = tier
	return namespace + "/" + name
}

// move puts an object and what refers to its namespace into another one.
func move(v any, from, to string) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if key == "namespace" && value == from {
				v[key] = to
			}
			move(value, from, to)
		}
	case []any:
		for _, value := range v {
			move(value, from, to)
		}
	}
}

func (s *suite) expect(rule, result, resource string) {
	e := expectation{rule, result}
	s.results[e] = append(s.results[e], resource)
}

// policy tests one policy.
func (e *testEmitter) policy(policy plan.Policy) []manifest.File {
	cases := e.cases[policy.Name]
	strictest := e.strictest(policy)
	s := newSuite("policies/"+policy.Name, policy)
	for _, j := range cases.good {
		resource := s.add(j, objectName(j), e.namespace(j, strictest), strictest)
		for rule, result := range j.Rules {
			s.expect(rule, result, resource)
		}
	}
	for _, j := range cases.bad {
		resource, result := s.add(j, objectName(j), e.namespace(j, strictest), strictest), fail
		if j.Namespace == "" && e.offWithoutTier(policy) {
			result = skip
		}
		for _, rule := range failing(j) {
			s.expect(rule, result, resource)
		}
	}
	if !policy.ClusterScoped {
		e.otherTiers(s, cases.bad, strictest)
	}
	return e.files(s, policy.At.File)
}

// otherTiers shows for each rule that it holds where it is on, and only there.
func (e *testEmitter) otherTiers(s *suite, bad []catalog.JudgedCase, strictest string) {
	for _, tier := range e.plan.Tiers {
		if tier == strictest {
			continue
		}
		result, shown := fail, map[string]bool{}
		if s.policy.Actions[tier] == plan.Off {
			result = skip
		}
		for _, j := range bad {
			rules := failing(j)
			if j.Namespace != caseNamespace || !slices.ContainsFunc(rules, func(rule string) bool { return !shown[rule] }) {
				continue
			}
			resource := s.add(j, objectName(j), e.namespace(j, tier), tier)
			for _, rule := range rules {
				shown[rule] = true
				s.expect(rule, result, resource)
			}
		}
	}
}

// exception tests for each policy that an exception waives what it names, and
// not the same by another name. An exception for images is left out: those of
// the cases are others.
func (e *testEmitter) exception(x plan.Exception) []manifest.File {
	if len(x.Images) > 0 {
		return nil
	}
	var files []manifest.File
	for _, waived := range x.Policies {
		i := slices.IndexFunc(e.env.Policies, func(policy plan.Policy) bool { return policy.Name == waived.Name })
		s := newSuite("exceptions/"+x.Name+"/"+waived.Name, e.env.Policies[i])
		s.exception = x.Name
		e.waive(s, x, waived.Rules)
		files = append(files, e.files(s, x.At.File)...)
	}
	return files
}

// waive adds the first bad case that the exception can exempt.
func (e *testEmitter) waive(s *suite, x plan.Exception, waived []string) {
	namespace, tier := "", e.strictest(s.policy)
	if len(x.Namespaces) > 0 {
		namespace = x.Namespaces[0]
		tier = e.tierOf(namespace)
	}
	if s.policy.Actions[tier] == plan.Off && !s.policy.ClusterScoped {
		return
	}
	for _, j := range e.cases[s.policy.Name].bad {
		name := exempted(x, j.Kind.Kind)
		if name == "" || j.Namespace != "" && j.Namespace != caseNamespace || (j.Namespace == "") != (namespace == "") {
			continue
		}
		exempt, other := s.add(j, name, namespace, tier), s.add(j, objectName(j), e.namespace(j, tier), tier)
		for _, rule := range failing(j) {
			s.expect(rule, fail, other)
			if slices.Contains(waived, rule) {
				s.expect(rule, skip, exempt)
			}
		}
		return
	}
}

// exempted is a name that an object of a kind may have to be covered by the
// exception; empty if it covers no such object.
func exempted(x plan.Exception, made string) string {
	for _, kind := range x.Kinds {
		if slices.Contains(plan.Makes(kind), made) && len(x.Names) > 0 {
			return strings.NewReplacer("*", "x", "?", "x").Replace(plan.MadeNames(kind, made, x.Names[0])[0])
		}
	}
	return ""
}

// namespace for a case in a tier; cases that are about their namespace keep it.
func (e *testEmitter) namespace(j catalog.JudgedCase, tier string) string {
	if j.Namespace == caseNamespace {
		return testNamespace + tier
	}
	return j.Namespace
}

// strictest is the first tier with the strictest action.
func (e *testEmitter) strictest(policy plan.Policy) string {
	i := slices.IndexFunc(e.plan.Tiers, func(tier string) bool { return policy.Actions[tier] == policy.Strictest() })
	return e.plan.Tiers[i]
}

// offWithoutTier tells whether a policy leaves alone what is in no namespace of
// a tier: that belongs to the last one.
func (e *testEmitter) offWithoutTier(policy plan.Policy) bool {
	return !policy.ClusterScoped && policy.Actions[e.plan.Tiers[len(e.plan.Tiers)-1]] == plan.Off
}

// tierOf a namespace; those that the profile does not name are of the last one.
func (e *testEmitter) tierOf(namespace string) string {
	if i := slices.IndexFunc(e.env.Namespaces, func(n plan.Namespace) bool { return n.Name == namespace }); i >= 0 {
		return e.env.Namespaces[i].Tier
	}
	return e.plan.Tiers[len(e.plan.Tiers)-1]
}

func objectName(j catalog.JudgedCase) string { return manifest.Object(j.Object).Name() }

func failing(j catalog.JudgedCase) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(j.Rules)), func(rule string) bool { return j.Rules[rule] != fail })
}

// files of a suite; none if it expects nothing.
func (e *testEmitter) files(s *suite, origin string) []manifest.File {
	if len(s.results) == 0 {
		return nil
	}
	dir := "tests/" + e.env.Name + "/" + s.dir
	up := strings.Repeat("../", strings.Count(s.dir, "/")+1) // to tests/<env>
	environment := up + "../../environments/" + e.env.Name
	test := manifest.Object{
		"apiVersion": "cli.kyverno.io/v1alpha1", "kind": "Test",
		"metadata":  map[string]any{"name": strings.ReplaceAll(e.env.Name+"/"+s.dir, "/", "-")},
		"policies":  []any{environment + "/policies/" + s.policy.Name + ".yaml"},
		"resources": []any{"resources.yaml"},
		"userinfo":  up + "user.yaml",
		"results":   s.sortedResults(),
	}
	if s.exception != "" {
		test["exceptions"] = []any{environment + "/exceptions/" + s.exception + ".yaml"}
	}
	if len(s.namespaces) > 0 {
		test["values"] = map[string]any{"namespaceSelector": s.selectors()}
	}
	return []manifest.File{
		{Path: dir + "/kyverno-test.yaml", Origin: origin, Objects: []manifest.Object{test}},
		{Path: dir + "/resources.yaml", Origin: origin, Objects: s.resources},
	}
}

func (s *suite) sortedResults() []any {
	keys := slices.SortedFunc(maps.Keys(s.results), func(a, b expectation) int {
		return cmp.Or(strings.Compare(a.rule, b.rule), strings.Compare(a.result, b.result))
	})
	out := make([]any, len(keys))
	for i, k := range keys {
		out[i] = map[string]any{"policy": s.policy.Name, "rule": k.rule, "result": k.result, "resources": s.results[k]}
	}
	return out
}

// selectors are the labels of the namespaces, which `kyverno test` cannot look up.
func (s *suite) selectors() []any {
	var out []any
	for _, name := range sortedKeys(s.namespaces) {
		out = append(out, map[string]any{"name": name, "labels": map[string]any{labelTier: s.namespaces[name]}})
	}
	return out
}

// user is who creates the cases.
func (e *testEmitter) user() manifest.File {
	user := catalog.OrdinaryUser()
	groups := make([]any, len(user.Groups))
	for i, group := range user.Groups {
		groups[i] = group
	}
	return manifest.File{Path: "tests/" + e.env.Name + "/user.yaml", Objects: []manifest.Object{{
		"apiVersion": "cli.kyverno.io/v1alpha1", "kind": "UserInfo", "metadata": map[string]any{"name": "somebody"},
		"userInfo": map[string]any{"username": user.Username, "groups": groups},
	}}}
}
