package main

import "github.com/gatehouse-dev/gatehouse/api/v1alpha1"

// rule is what the schema says about the values of a field, beyond their type.
// It never refuses what package generator accepts.
type rule struct {
	// enum of a scalar.
	enum []string
	// pattern and maxLength of a string, or of each string of a list.
	pattern   string
	maxLength int
	// minimum and maximum of a number. A maximum of 0 is none, and then so is a minimum of 0.
	minimum, maximum int
	// minItems of a list.
	minItems int
	// value of an absent field; nil if there is none, or if it depends on others.
	value any
}

// Patterns are those of package generator, by what they are for.
const (
	labelPattern    = `^[a-z0-9]([-a-z0-9]*[a-z0-9])?$` // RFC 1123
	durationPattern = `^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	datePattern     = `^([0-9]{4}-[0-9]{2}-[0-9]{2})?$`
	ownerPattern    = `^(@[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*|[^\s@]+@[^\s@]+)$`
	kindPattern     = `^[A-Z][A-Za-z0-9]{0,62}$`
	wordPattern     = `\S`
	userPattern     = `^[A-Za-z0-9][A-Za-z0-9@:._/-]*$`
)

func label(maxLength int) rule       { return rule{pattern: labelPattern, maxLength: maxLength} }
func labelDefault(value string) rule { return rule{pattern: labelPattern, maxLength: 63, value: value} }
func duration(value string) rule     { return rule{pattern: durationPattern, value: value} }
func enum(values ...string) rule     { return rule{enum: values} }
func enumDefault(all ...string) rule { return rule{enum: all, value: all[0]} }
func flag(value bool) rule           { return rule{value: value} }
func list(pattern string) rule       { return rule{pattern: pattern, minItems: 1} }

// rules by type and field. A test compares the defaults with what package generator sets.
var rules = map[string]rule{
	"Profile.apiVersion":     enum(v1alpha1.APIVersion),
	"Profile.kind":           enum("Profile"),
	"Environment.apiVersion": enum(v1alpha1.APIVersion),
	"Environment.kind":       enum("Environment"),
	"Exception.apiVersion":   enum(v1alpha1.APIVersion),
	"Exception.kind":         enum("Exception"),
	"Test.apiVersion":        enum(v1alpha1.APIVersion),
	"Test.kind":              enum("Test"),
	"Metadata.name":          label(63),

	"ProfileSpec.tiers":             {pattern: labelPattern, maxLength: 40, minItems: 1},
	"ProfileSpec.systemNamespaces":  label(63),
	"ProfileSpec.owners":            {pattern: ownerPattern},
	"Control.tiers":                 {pattern: labelPattern, maxLength: 40, minItems: 1},
	"ControlNamespaces.include":     {minItems: 1},
	"ControlNamespaces.exclude":     {minItems: 1},
	"NamespaceChoice.name":          label(63),
	"Kyverno.version":               enumDefault(v1alpha1.KyvernoVersions()...),
	"Kyverno.policyType":            enum("ClusterPolicy", "ValidatingPolicy", "ValidatingAdmissionPolicy"), // the default depends on the others
	"Kyverno.install":               enumDefault(v1alpha1.KyvernoInstalls()...),
	"Kyverno.namespace":             labelDefault("kyverno"),
	"Kyverno.replicas":              {minimum: 1, maximum: 15, value: 3},
	"Flux.install":                  enumDefault("none", "cli", "operator"),
	"Flux.namespace":                labelDefault("flux-system"),
	"Flux.path":                     {value: "./"},
	"Flux.interval":                 duration("10m"),
	"Flux.retryInterval":            duration("2m"),
	"Flux.timeout":                  duration("5m"),
	"SourceRef.kind":                enumDefault("GitRepository", "OCIRepository"),
	"SourceRef.name":                labelDefault("flux-system"),
	"Decryption.provider":           enum("sops"),
	"SecretRef.name":                label(63),
	"Workload.name":                 label(63),
	"Workload.create":               flag(true),
	"Rollout.stages":                {minItems: 1},
	"Stage.name":                    label(63),
	"Namespace.name":                label(63),
	"LimitRange.limits":             {minItems: 1},
	"LimitRangeItem.type":           enum("Container", "Pod", "PersistentVolumeClaim"),
	"Network.defaultDeny":           flag(true),
	"Network.dns":                   flag(true),
	"Peer.namespace":                label(63),
	"DNS.namespace":                 labelDefault("kube-system"),
	"Deployer.user":                 {pattern: userPattern},
	"Deployer.group":                {pattern: userPattern},
	"BreakGlass.groups":             {pattern: userPattern},
	"Control.enabled":               flag(true),
	"Output.kyvernoTests":           flag(false),
	"ExceptionRules.namespace":      labelDefault("policy-exceptions"),
	"ExceptionRules.allowPermanent": flag(false),
	"ExceptionRules.maxDays":        {minimum: 1, maximum: 3660, value: 730},
	"ExceptionRules.warnDays":       {maximum: 365, value: 14},

	"Attestor.name":           label(63),
	"KeyObject.name":          label(63),
	"ImageRule.name":          label(40),
	"ImageRule.references":    {minItems: 1},
	"ImageRule.tiers":         {minItems: 1},
	"ImageRule.mutateDigest":  flag(true),
	"ImageRule.requireDigest": flag(false),
	"Attestation.type":        {pattern: `^https?://[^ *]+$`},
	"Condition.in":            {minItems: 1},
	"AttestorSet.count":       {minimum: 1},
	"AttestorSet.of":          {minItems: 1},

	"EnvironmentSpec.ring":       {minimum: 1},
	"EnvironmentSpec.clusters":   {pattern: labelPattern, maxLength: 63, minItems: 1},
	"EnvironmentSpec.allowAhead": flag(false),
	"EnvironmentSpec.allowSkip":  flag(false),
	"EnvironmentSpec.owners":     {pattern: ownerPattern},

	"ExceptionSpec.controls":    {minItems: 1},
	"ExceptionSpec.reason":      {pattern: wordPattern},
	"ExceptionSpec.owner":       {pattern: wordPattern},
	"ExceptionSpec.expires":     {pattern: datePattern},
	"ExceptionMatch.namespaces": label(63),
	"ExceptionMatch.kinds":      list(kindPattern),
	"ExceptionMatch.names":      {minItems: 1},

	"TestSpec.environments": label(63),
	"TestSpec.expect":       enum("admit", "audit", "refuse"),
	"TestSpec.operation":    enum("CREATE", "UPDATE", "DELETE"),
	"TestSpec.namespace":    label(63),
}
