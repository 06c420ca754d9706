package catalog

import "slices"

// Deployers holds the names that the parameters of a control take for deployers.
type Deployers struct {
	// Users, Groups and Appliers are as the sources deployers, deployers.groups and
	// deployers.appliers; of the last only the users.
	Users, Groups, Appliers []string
}

// Deployers returns whom the control takes for deployers with some parameters. It reports
// false for a control that has none of these parameters.
func (c *Control) Deployers(params map[string]any) (d Deployers, asks bool) {
	for name, schema := range c.Parameters.Properties {
		list, _ := params[name].([]any)
		switch schema.From {
		case "deployers":
			d.Users = append(d.Users, texts(list)...)
		case "deployers.groups":
			d.Groups = append(d.Groups, texts(list)...)
		case "deployers.appliers":
			for _, item := range list {
				applier, _ := item.(map[string]any)
				d.Appliers = append(d.Appliers, texts([]any{applier["user"]})...)
			}
		default:
			continue
		}
		asks = true
	}
	return d, asks
}

// has reports whether the user of a case is one of them.
func (d Deployers) has(one Case) bool {
	return slices.Contains(d.Users, one.UserInfo.Username) || slices.Contains(d.Appliers, one.UserInfo.Username) ||
		slices.ContainsFunc(one.UserInfo.Groups, func(g string) bool { return slices.Contains(d.Groups, g) })
}

// texts returns the strings of a list.
func texts(list []any) []string {
	var out []string
	for _, item := range list {
		if text, ok := item.(string); ok {
			out = append(out, text)
		}
	}
	return out
}
