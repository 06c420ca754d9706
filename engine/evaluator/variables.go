package evaluator

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	enginecontext "github.com/kyverno/kyverno/pkg/engine/context"
	"github.com/kyverno/kyverno/pkg/engine/jmespath"
)

// contextLoader is Kyverno's loader of the context of a rule, with a shorter way for plain variables.
type contextLoader struct {
	engineapi.ContextLoader
	rule kyvernov1.Rule
}

// withPlainVariables gives plain variables a shorter way.
func withPlainVariables(inner engineapi.ContextLoaderFactory) engineapi.ContextLoaderFactory {
	return func(policy kyvernov1.PolicyInterface, rule kyvernov1.Rule) engineapi.ContextLoader {
		return contextLoader{ContextLoader: inner(policy, rule), rule: rule}
	}
}

// Load implements engineapi.ContextLoader.
func (p contextLoader) Load(ctx context.Context, jp jmespath.Interface, client engineapi.RawClient, rc engineapi.RegistryClientFactory,
	entries []kyvernov1.ContextEntry, json enginecontext.Interface) error {
	for i, entry := range entries {
		if !p.isPlain(entry) {
			if err := p.ContextLoader.Load(ctx, jp, client, rc, entries[i:i+1], json); err != nil {
				return err
			}
			continue
		}
		loader, err := enginecontext.NewDeferredLoader(entry.Name, &plain{entry: entry, jmespath: jp, context: json}, logr.Discard())
		if err != nil {
			return fmt.Errorf("failed to create deferred loader for context entry %s", entry.Name)
		}
		if err := json.AddDeferredLoader(loader); err != nil {
			return err
		}
	}
	return nil
}

// word is a name that Kyverno's regular expression for it finds only where the name stands.
var word = regexp.MustCompile(`^\w+$`)

// isPlain reports whether an entry is the value of an expression as it stands: without a default, with nothing in it to
// substitute, and without the name of what Kyverno loads when an expression asks for it. Such names also come from the
// elements of loops, so rules that have them are left to Kyverno.
func (p contextLoader) isPlain(entry kyvernov1.ContextEntry) bool {
	v := entry.Variable
	if v == nil || v.JMESPath == "" || v.GetValue() != nil || v.GetDefault() != nil ||
		p.rule.Mutation != nil || p.rule.Validation != nil && len(p.rule.Validation.ForEachValidation) > 0 {
		return false
	}
	for _, found := range []string{"{{", "$(", "images"} {
		if strings.Contains(v.JMESPath, found) {
			return false
		}
	}
	return !slices.ContainsFunc(p.rule.Context, func(other kyvernov1.ContextEntry) bool {
		return !word.MatchString(other.Name) || strings.Contains(v.JMESPath, other.Name)
	})
}

// plain loads a plain variable as Kyverno's own loader does. That one first looks for variables, references and the names of
// other entries in the expression, with regular expressions and in each evaluation. Since most time of a rule went there,
// isPlain looks for what each of them begins with.
type plain struct {
	entry    kyvernov1.ContextEntry
	jmespath jmespath.Interface
	context  enginecontext.Interface
	loaded   bool
}

// HasLoaded implements enginecontext.Loader.
func (p *plain) HasLoaded() bool { return p.loaded }

// LoadData implements enginecontext.Loader. Its errors are those of Kyverno's loader, since reports have them.
func (p *plain) LoadData() error {
	value, err := p.evaluate()
	if err != nil {
		return fmt.Errorf("failed to apply jmespath %s to variable %v: %v", p.entry.Variable.JMESPath, nil, err) //nolint:errorlint // as Kyverno's
	}
	if value == nil {
		return fmt.Errorf("failed to add context entry for variable %s since it evaluated to nil", p.entry.Name)
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("failed to add context entry for variable %s: %v", p.entry.Name, err) //nolint:errorlint // as Kyverno's
	}
	p.loaded = true
	return p.context.ReplaceContextEntry(p.entry.Name, data)
}

// evaluate returns the value of the expression.
func (p *plain) evaluate() (any, error) {
	document, err := p.context.Query("@")
	if err != nil {
		return nil, err
	}
	expression := strings.TrimSpace(p.entry.Variable.JMESPath)
	query, err := p.jmespath.Query(expression)
	if err != nil {
		return nil, fmt.Errorf("incorrect query %s: %v", expression, err) //nolint:errorlint // as Kyverno's
	}
	value, err := query.Search(document)
	if err != nil {
		return nil, fmt.Errorf("JMESPath query failed: %w", err)
	}
	return value, nil
}
