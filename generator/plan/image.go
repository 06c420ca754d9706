package plan

// AuditName is the name of the second policy of an image rule, for the tiers in
// which it is audited: Kyverno cannot override the action of an image rule.
func (p Policy) AuditName() string { return p.Name + "-audit" }
