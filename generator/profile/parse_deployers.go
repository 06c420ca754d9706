package profile

import (
	"fmt"
	"slices"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

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
			p.user(field, *d.User)
			users = append(users, *d.User)
		case d.Group != nil:
			p.group(field+".group", "platform-team", "write a user instead:", *d.Group)
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
		p.group(fmt.Sprintf("spec.breakGlass.groups[%d]", i), "system:masters", "add to spec.deployers the user", group)
	}
	if len(b.Groups) == 0 {
		p.Warn("spec.breakGlass.groups", "break-glass-none", "name a group of administrators, such as system:masters",
			"no one but the deployers can change or delete what gatehouse guards, even if Flux cannot apply")
	}
	p.distinct("spec.breakGlass.groups", b.Groups)
	p.out.Deployers.Groups = append(p.out.Deployers.Groups, b.Groups...)
}
