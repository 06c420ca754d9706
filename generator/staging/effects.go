package staging

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Effect is one thing that a build changes in an environment, of those that a reviewer
// of the output easily misses.
type Effect struct {
	Environment string
	// What happens, such as "begins to enforce in apps".
	What string
	// Names of the policies or namespaces to which it happens, sorted.
	Names []string
}

// String returns the effect on one line, with the first few of many names.
func (e Effect) String() string {
	return fmt.Sprintf("%s: %s (%d): %s", e.Environment, e.What, len(e.Names), Some(e.Names))
}

// Effects compares what an environment does with the last build. It returns nothing for
// an environment that was never built.
func Effects(env plan.Environment, tiers []string, before manifest.LockedEnvironment) []Effect {
	c := comparison{env: env, before: newPrior(&before, tiers), after: newPrior(&env.Locked, tiers)}
	for _, tier := range tiers {
		c.tier(tier)
	}
	c.policies(tiers)
	c.deployers()
	if c.before.knowsNamespaces() {
		c.namespaces()
		c.exceptions()
	}
	return c.effects
}

type comparison struct {
	env           plan.Environment
	before, after prior
	effects       []Effect
}

func (c *comparison) add(what string, names []string) {
	if len(names) > 0 {
		c.effects = append(c.effects, Effect{Environment: c.env.Name, What: what, Names: names})
	}
}

// tier compares what is enforced in one tier.
func (c *comparison) tier(tier string) {
	var begins, ends, changes []string
	for _, name := range c.names() {
		was, is := c.before.enforced(name, tier), c.after.enforced(name, tier)
		switch {
		case len(was) == 0 && len(is) > 0:
			begins = append(begins, name)
		case len(was) > 0 && len(is) == 0:
			ends = append(ends, name)
		case len(was) > 0 && was[0].Content != "" && !slices.ContainsFunc(was, func(f manifest.LockedPolicy) bool { return f.Content == is[0].Content }):
			changes = append(changes, name)
		}
	}
	c.add("begins to enforce in "+tier, begins)
	c.add("no longer enforces in "+tier, ends)
	c.add("enforces another content in "+tier, changes)
}

// policies compares what follows from enforcing a policy in any tier.
func (c *comparison) policies(tiers []string) {
	var closed, open, unscanned, replaced []string
	for _, name := range c.names() {
		was, is := c.before.strictest(name, tiers), c.after.strictest(name, tiers)
		i := slices.IndexFunc(c.env.Policies, func(p plan.Policy) bool { return p.Base == name })
		switch {
		case was == plan.Enforce && is != plan.Enforce && (i < 0 && name != catalog.DefaultDeny || i >= 0 && c.env.Policies[i].Control.Judges()):
			open = append(open, name)
		case was != plan.Enforce && is == plan.Enforce && c.env.Policies[i].Control.Judges():
			closed = append(closed, name)
			if scanned(c.env.Policies[i]) && was == plan.Audit {
				unscanned = append(unscanned, name)
			}
		}
		if i >= 0 && c.env.Policies[i].Image != nil && is == plan.Enforce && c.before.does(name, tiers, plan.Audit) && !c.after.does(name, tiers, plan.Audit) {
			replaced = append(replaced, name)
		}
	}
	c.add("begins to fail closed while Kyverno does not answer", closed)
	c.add("no longer fails closed", open)
	c.add("ends the background scans of", unscanned)
	c.add("replaces the audited half of image rules, and its reports end", replaced)
}

// deployers lists whom the guards accept from now on. A guard that was not enforced before
// accepted everyone.
func (c *comparison) deployers() {
	before, now := c.before.Deployers, c.env.Locked.Deployers
	if before == nil || now == nil || before.Anyone {
		return
	}
	users, groups := beyond(now, before)
	c.add("accepts as deployers", slices.Concat(users, groups))
}

// scanned reports whether Kyverno scans for a policy in the background only as long as
// the policy is audited.
func scanned(p plan.Policy) bool {
	return p.Control.Background && (p.Control.ExemptDeployers || p.Image != nil)
}

// namespaces compares the levels of Pod Security Admission, the networks and the limits.
func (c *comparison) namespaces() {
	var closed, open []string
	levels := map[string][]string{}
	for _, is := range c.env.Locked.Namespaces {
		if is.Name == unlisted {
			continue
		}
		was, known := c.before.namespace(is.Name, is.Tier, c.env.Policies)
		switch {
		case is.Closed && !was.Closed:
			closed = append(closed, is.Name)
		case known && was.Closed && !is.Closed:
			open = append(open, is.Name)
		}
		if known && was.Tier != is.Tier {
			change := fmt.Sprintf("judges as tier %s", is.Tier)
			levels[change] = append(levels[change], is.Name)
		}
		for what, raw := range map[string][2]json.RawMessage{"resource quota": {was.ResourceQuota, is.ResourceQuota}, "limit range": {was.LimitRange, is.LimitRange}} {
			if verb := changed(raw[0], raw[1]); verb != "" {
				change := fmt.Sprintf("%s the %s of", verb, what)
				levels[change] = append(levels[change], is.Name)
			}
		}
		if was.PodSecurity != is.PodSecurity {
			change := fmt.Sprintf("Pod Security goes from %s to %s in", level(was.PodSecurity), level(is.PodSecurity))
			levels[change] = append(levels[change], is.Name)
		}
	}
	c.add("closes the network of", closed)
	c.add("opens the network of", open)
	for _, change := range slices.Sorted(maps.Keys(levels)) {
		c.add(change, levels[change])
	}
}

// changed says what happens to something that the lock has; empty if nothing does.
func changed(was, is json.RawMessage) string {
	switch {
	case bytes.Equal(was, is):
		return ""
	case was == nil:
		return "applies"
	case is == nil:
		return "removes"
	}
	return "changes"
}

// exceptions lists those that exempted in the last build, and do not any more.
func (c *comparison) exceptions() {
	holds := map[string]bool{}
	for _, k := range c.env.Locked.Kept {
		holds[string(k.Definition)] = k.Kind == keptException
	}
	var ended []string
	for _, k := range c.before.Kept {
		if k.Kind == keptException && !holds[string(k.Definition)] && !slices.Contains(ended, k.Name) {
			ended = append(ended, k.Name)
		}
	}
	slices.Sort(ended)
	c.add("ends or replaces the exceptions", ended)
}

func level(name string) string {
	if name == "" {
		return "no level"
	}
	return name
}

// names returns the names of the policies of before and after, sorted.
func (c *comparison) names() []string {
	names := map[string]bool{}
	for _, f := range slices.Concat(c.before.Policies, c.after.Policies) {
		names[f.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// strictest returns the strictest action of a policy in any tier.
func (p prior) strictest(policy string, tiers []string) plan.Action {
	strictest := plan.Off
	for _, tier := range tiers {
		strictest = max(strictest, p.action(policy, tier))
	}
	return strictest
}

// does reports whether some tier does this with the policy.
func (p prior) does(policy string, tiers []string, action plan.Action) bool {
	return slices.ContainsFunc(tiers, func(tier string) bool { return p.action(policy, tier) == action })
}
