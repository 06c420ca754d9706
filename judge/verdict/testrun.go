package verdict

import (
	"encoding/json"
	"time"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// test evaluates a test against each of its policies separately, or against all
// policies together.
func (r *run) test(k *cluster, t Test) error {
	var checks []check
	for _, raw := range t.Objects {
		if len(t.Policies) == 0 {
			c := t.check(k, raw, "", k.evaluable())
			if len(c.request.Policies) == 0 {
				r.answerOff(c, "no policy can be asked in environment "+k.env.Name)
			} else {
				checks = append(checks, c)
			}
			continue
		}
		for _, name := range t.Policies {
			c := t.check(k, raw, name, []string{name})
			policy, on := k.env.Policy(name)
			switch {
			case !on: // but it is in another environment
				r.answerOff(c, name+" is off in environment "+k.env.Name)
			case policy.Image != nil:
				c.result.Expected = c.want.String()
				r.skip(c.result, signatures)
			case k.loaded[name]:
				checks = append(checks, c)
			}
		}
	}
	return r.ask(checks)
}

// answerOff adds the result of a check for which no policy can refuse or report.
func (r *run) answerOff(c check, reason string) {
	c.result.Expected, c.result.Got, c.result.Status, c.result.Message = c.want.String(), "admitted, not judged", Passed, reason
	if c.want.verdict != clean {
		c.result.Status = Failed
	}
	r.report.Results = append(r.report.Results, c.result)
}

// evaluable returns the policies that need no registry and that the engine accepted.
func (k *cluster) evaluable() []string {
	var names []string
	for _, p := range k.env.Judges() {
		if p.Image == nil && k.loaded[p.Name] {
			names = append(names, p.Name)
		}
	}
	return names
}

// check returns the check that the policies give the object the verdict that the test
// expects.
func (t Test) check(k *cluster, raw json.RawMessage, policy string, policies []string) check {
	request := engine.EvaluateParams{
		Resource: raw, OldResource: t.Old, Operation: t.Operation, Namespace: t.Namespace, UserInfo: t.User, Policies: policies,
		Now: k.plan.Now.UTC().Format(time.RFC3339),
	}
	var object manifest.Object
	_ = json.Unmarshal(raw, &object) // the engine refuses anything but an object
	namespace := t.Namespace
	if namespace == "" {
		namespace = object.Namespace()
	}
	verdicts := map[string]verdict{v1alpha1.ExpectAdmit: clean, v1alpha1.ExpectAudit: audited, v1alpha1.ExpectRefuse: refused}
	result := Result{
		Environment: k.env.Name, Check: CheckTest, Policy: policy, Case: t.Name, Origin: t.At.String(),
		Resource: described(string(t.Operation), object.Kind(), "", namespace, object.Name()),
	}
	if namespace != "" {
		result.Tier = k.plan.TierOf(k.env, namespace)
	}
	return check{request: request, want: want{verdict: verdicts[t.Expect]}, result: result, strict: true}
}
