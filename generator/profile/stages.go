package profile

import "slices"

// WithStages returns the input with environments, by name, at other stages. Every
// environment may be ahead of earlier rings. It does not change its receiver.
func (in *Input) WithStages(stages map[string]string) *Input {
	out := *in
	out.Environments = slices.Clone(in.Environments)
	for i := range out.Environments {
		e := &out.Environments[i].Value
		if stage, ok := stages[e.Metadata.Name]; ok {
			e.Spec.Stage = stage
		}
		ahead := true
		e.Spec.AllowAhead = &ahead
	}
	return &out
}
