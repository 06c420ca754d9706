package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
)

// firstLock is a lock of version 1: one JSON object, without the contents of policies.
type firstLock struct {
	Version      int            `json:"version"`
	Tool         string         `json:"tool"`
	Source       string         `json:"source"`
	FluxInstall  string         `json:"fluxInstall"`
	Kyverno      *LockedKyverno `json:"kyverno"`
	Environments map[string]struct {
		Stage       string         `json:"stage"`
		FluxInstall string         `json:"fluxInstall"`
		Kyverno     *LockedKyverno `json:"kyverno"`
		// Policies by name, then tier: Audit or Enforce.
		Policies map[string]map[string]string `json:"policies"`
	} `json:"environments"`
	Files []LockedFile `json:"files"`
}

// decodeFirstLock decodes a lock of version 1, so that a repository that an older
// gatehouse wrote can be built. It returns nil for other data.
func decodeFirstLock(data []byte) (*Lock, error) {
	var first firstLock
	if json.Unmarshal(data, &struct{}{}) != nil {
		return nil, nil // several lines, or no JSON at all
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	switch err := d.Decode(&first); {
	case first.Version != 1:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", layout.Lock, err)
	}
	l := &Lock{Environments: map[string]LockedEnvironment{}, Files: first.Files}
	for name, env := range first.Environments {
		e := LockedEnvironment{Stages: []string{env.Stage}, FluxInstall: env.FluxInstall, Kyverno: env.Kyverno}
		if e.Kyverno == nil { // said once for all environments
			e.FluxInstall, e.Kyverno = first.FluxInstall, first.Kyverno
		}
		for policy, tiers := range env.Policies {
			for tier, action := range tiers {
				e.Policies = append(e.Policies, LockedPolicy{Name: policy, Tier: tier, Action: action})
			}
		}
		l.Environments[name] = e
	}
	return l, nil
}
