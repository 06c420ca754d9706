package staging

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// name names the policies of one that has several contents, and their objects. Those in CEL
// may have the same objects' names as ClusterPolicies, which are of another kind.
func (e *Environment) name(s *staged, policies []plan.Policy) {
	objects := e.objects(s)
	var groups [2][]*plan.Policy
	for i := range policies {
		group := 0
		if policies[i].Target != catalog.ClusterPolicy {
			group = 1
		}
		groups[group] = append(groups[group], &policies[i])
	}
	var taken []string
	for _, group := range groups {
		e.nameObjects(s, group, objects)
		for _, p := range group {
			for _, name := range []string{p.Object, s.beside(p.Content), s.hashed(p.Content)} {
				if p.Name = name; !slices.Contains(taken, name) {
					break
				}
			}
			taken = append(taken, p.Name)
		}
	}
	slices.SortFunc(policies, func(a, b plan.Policy) int { return strings.Compare(a.Name, b.Name) })
}

// nameObjects names the objects of policies of one kind: the first has the name of the
// policy, that of the source ends in Next, and the others end in their hash.
//
// A new object answers some moments after it is applied. So these names hold only if what
// goes on being enforced is in an object that is in the cluster already. Otherwise each
// content keeps the object that it is in.
func (e *Environment) nameObjects(s *staged, policies []*plan.Policy, objects []object) {
	for i, p := range policies {
		p.Object = s.Name
		if i > 0 {
			p.Object = s.beside(p.Content)
		}
	}
	if !slices.ContainsFunc(policies, func(p *plan.Policy) bool { return e.leaves(*p, objects) }) {
		return
	}
	var taken []string
	take := func(p *plan.Policy, names ...string) {
		p.Object = ""
		for _, name := range names {
			if !slices.Contains(taken, name) {
				taken, p.Object = append(taken, name), name
				return
			}
		}
	}
	for _, p := range policies {
		take(p, names(objects, func(o object) bool { return o.content == p.Content })...)
	}
	for _, p := range policies {
		if p.Object == "" {
			there := names(objects, func(o object) bool { return o.target == p.Target })
			take(p, append(there, s.Name, fit(s.Name+Next), s.hashed(p.Content))...)
		}
	}
}

// beside returns the name for a content that is not the first.
func (s *staged) beside(hash string) string {
	if hash == s.hash {
		return fit(s.Name + Next)
	}
	return s.hashed(hash)
}

func (s *staged) hashed(hash string) string { return fit(s.Name + "-" + hash[:8]) }

// leaves reports whether a policy goes on enforcing in a tier, and has the name of no
// object of the last build. Controls in CEL are in the objects of their families.
func (e *Environment) leaves(p plan.Policy, objects []object) bool {
	if p.Target != catalog.ClusterPolicy && p.Image == nil {
		return false
	}
	if slices.Contains(names(objects, func(o object) bool { return o.target == p.Target }), p.Object) {
		return false
	}
	for tier, action := range p.Actions {
		if action == plan.Enforce && len(e.prior.enforced(p.Base, tier)) > 0 {
			return true
		}
	}
	return false
}

// object is what a content was in at the last build.
type object struct{ content, target, name string }

// objects returns the objects of a policy at the last build, by name.
func (e *Environment) objects(s *staged) []object {
	var all []object
	for _, f := range e.prior.Policies {
		if f.Name != s.Name || slices.ContainsFunc(all, func(o object) bool { return o.content == f.Content }) {
			continue
		}
		content, known := s.contents[f.Content]
		if !known {
			content, _ = e.content(f.Content) // one that is lost is of no kind
		}
		all = append(all, object{f.Content, content.Target, cmp.Or(f.Object, f.Name)})
	}
	slices.SortFunc(all, func(a, b object) int { return strings.Compare(a.name, b.name) })
	return all
}

// names returns the names of some objects.
func names(objects []object, which func(object) bool) []string {
	var names []string
	for _, o := range objects {
		if which(o) {
			names = append(names, o.name)
		}
	}
	return names
}

// Next ends the name of a policy that audits a change beside what is enforced.
const Next = "-next"

// maxName is the maximal length of the name of a policy, less that of the suffix of the
// audited half of an image rule: Kyverno uses the name in labels.
const maxName = 63 - len("-audit")

// fit shortens a name that is too long, and keeps it unique.
func fit(name string) string {
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return strings.TrimRight(name[:maxName-9], "-") + "-" + hex.EncodeToString(sum[:])[:8]
}
