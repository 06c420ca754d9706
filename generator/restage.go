package generator

// restage gives environments another stage (Options.Stages). in must be from
// Default, which has copied the environments. Nobody asks for a ring order then:
// all environments may be a step ahead at the same time.
func (in *Input) restage(stages map[string]string) {
	if len(stages) == 0 {
		return
	}
	for i := range in.Environments {
		spec := &in.Environments[i].Value.Spec
		if stage, ok := stages[in.Environments[i].Value.Metadata.Name]; ok {
			spec.Stage = stage
		}
		ahead := true
		spec.AllowAhead = &ahead
	}
}
