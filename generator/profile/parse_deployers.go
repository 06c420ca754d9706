package profile

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

const codeDeployer = "deployer-invalid"

// userName matches whole names of users and groups: no wildcard, and nothing with a
// meaning in an expression.
var userName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9@:._/-]*$`)

// deployers collects the accounts with which Flux applies the repository, the users and
// groups that the profile names, and the groups that may break the glass.
func (p *parser) deployers() {
	users := p.out.Flux.Appliers()
	for i, d := range p.spec.Deployers {
		field := fmt.Sprintf("spec.deployers[%d]", i)
		switch {
		case d.User != nil && d.Group != nil:
			p.Report(field, codeDeployer, "write two entries", "has both a user and a group")
		case d.User != nil:
			p.userName(field, "user", "such as system:serviceaccount:NAMESPACE:NAME", *d.User)
			users = append(users, *d.User)
		case d.Group != nil:
			p.userName(field+".group", "group", "such as platform-team", *d.Group)
			p.out.Deployers.Groups = append(p.out.Deployers.Groups, *d.Group)
		default:
			p.Report(field, codeDeployer, "set user or group", "names no one")
		}
	}
	p.breakGlass(*p.spec.BreakGlass)
	p.out.Deployers = split(users, p.out.Deployers.Groups)
}

// split sorts deployers, and finds among the users those that also write for others.
func split(users, groups []string) plan.Deployers {
	out := plan.Deployers{Groups: sorted(groups)}
	for _, user := range sorted(users) {
		if applier, ok := plan.FluxApplier(user); ok {
			out.Appliers = append(out.Appliers, applier)
		} else {
			out.Users = append(out.Users, user)
		}
	}
	return out
}

// sorted returns the names sorted, each once.
func sorted(names []string) []string {
	out := slices.Clone(names)
	slices.Sort(out)
	return slices.Compact(out)
}

// breakGlass adds the groups that may change what only deployers may.
func (p *parser) breakGlass(b v1alpha1.BreakGlass) {
	for i, group := range b.Groups {
		p.userName(fmt.Sprintf("spec.breakGlass.groups[%d]", i), "group", "such as system:masters", group)
	}
	if len(b.Groups) == 0 {
		p.Warn("spec.breakGlass.groups", "break-glass-none", "name a group of administrators, such as system:masters",
			"no one but the deployers can change or delete what gatehouse guards, even if Flux cannot apply")
	}
	p.distinct("spec.breakGlass.groups", b.Groups)
	p.out.Deployers.Groups = append(p.out.Deployers.Groups, b.Groups...)
}

// userName checks the name of a user or a group.
func (p *parser) userName(field, what, hint, name string) {
	switch {
	case !userName.MatchString(name):
		p.Report(field, codeDeployer, hint, "%q is not the name of a %s", name, what)
	case slices.Contains([]string{"system:anonymous", "system:authenticated", "system:unauthenticated", "system:serviceaccounts"}, name):
		p.Report(field, codeDeployer, "name those who apply the repository", "%s is everybody", name)
	}
}
