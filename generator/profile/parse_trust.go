package profile

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// attestor is a parsed attestor. object holds its key, and is nil if there is none. notary is
// set for the Notary Project, also if its certificates are not usable.
type attestor struct {
	plan.Attestor
	object *plan.TrustObject
	notary bool
}

// trust parses attestors and image rules. It refuses what Kyverno accepts but
// verifies nothing with (docs/safety.md#attestors).
func (p *parser) trust() {
	names := make([]string, len(p.spec.Trust.Attestors))
	attestors := map[string]attestor{}
	for i, a := range p.spec.Trust.Attestors {
		field := fmt.Sprintf("spec.trust.attestors[%d]", i)
		names[i] = a.Name
		p.name(field+".name", a.Name, 63)
		attestors[a.Name] = p.attestor(field, a)
	}
	p.distinct("spec.trust.attestors", names)
	p.keyObjects()
	rules := make([]string, len(p.spec.Trust.Images))
	for i, rule := range p.spec.Trust.Images {
		rules[i] = rule.Name
		p.image(fmt.Sprintf("spec.trust.images[%d]", i), rule, names, attestors)
	}
	p.distinct("spec.trust.images", rules)
	if _, named := p.spec.Controls[verifyImages]; len(rules) > 0 && !named {
		p.Report("spec.trust.images", "images-unverified", "add verify-images to spec.controls, or extend supply-chain", "nothing verifies these images: the control verify-images is not on")
	}
}

// verifyImages is the control that is compiled once for each entry of spec.trust.images.
const verifyImages = "verify-images"

func (p *parser) attestor(field string, a v1alpha1.Attestor) attestor {
	if set := given(a.Keys != nil, a.Certificates != nil, a.Keyless != nil, a.Notary != nil); set != 1 {
		p.Report(field, "attestor-kind", "", "set exactly one of keys, certificates, keyless and notary, not %d", set)
	}
	out := attestor{Attestor: plan.Attestor{Name: a.Name}}
	if a.Certificates != nil {
		out.PublicKeys = p.certificate(field+".certificates.file", a.Certificates.File)
	}
	if a.Notary != nil {
		out.notary, out.Notary = true, p.notary(field+".notary.file", a.Notary.File)
	}
	if a.Keys != nil {
		p.keys(field+".keys", *a.Keys, &out)
	}
	if a.Keyless != nil {
		p.keyless(field+".keyless", *a.Keyless, &out)
	}
	if out.object != nil {
		out.object.At = p.Positions.At(field)
	}
	return out
}

// given returns how many alternatives are set.
func given(alternatives ...bool) int {
	set := 0
	for _, a := range alternatives {
		if a {
			set++
		}
	}
	return set
}

func (p *parser) keys(field string, k v1alpha1.Keys, out *attestor) {
	if set := given(k.PublicKeys != nil, k.ConfigMap != nil, k.Secret != nil, k.KMS != nil); set != 1 {
		p.Report(field, "attestor-kind", "", "set exactly one of publicKeys, configMap, secret and kms, not %d", set)
	}
	out.RekorURL = p.rekor(field+".rekor", k.Rekor, "")
	switch {
	case k.PublicKeys != nil:
		if err := checkPublicKey([]byte(*k.PublicKeys)); err != nil {
			p.Report(field+".publicKeys", "key-invalid", "", "%v", err)
		}
		out.PublicKeys = *k.PublicKeys
	case k.KMS != nil:
		if hint := checkKMS(*k.KMS); hint != "" {
			p.Report(field+".kms", "kms-invalid", hint, "%q is not the URI of a key", *k.KMS)
		}
		out.KMS = *k.KMS
	}
	if k.ConfigMap != nil {
		out.ConfigMap, out.ConfigMapKey = k.ConfigMap.Name, dataKey(*k.ConfigMap)
		if !validDataKey.MatchString(out.ConfigMapKey) {
			p.Report(field+".configMap.key", "key-name", "use letters, digits, -, _ and .", "%q is not a key of a ConfigMap", out.ConfigMapKey)
		}
		out.object = p.keyObject(field+".configMap", "ConfigMap", out.ConfigMapKey, *k.ConfigMap)
	}
	if k.Secret != nil {
		out.Secret = k.Secret.Name
		if k.Secret.Key != nil && *k.Secret.Key != secretDataKey {
			p.Report(field+".secret.key", "key-name", "leave it out", "Kyverno reads only %s of a Secret", secretDataKey)
		}
		out.object = p.keyObject(field+".secret", "Secret", secretDataKey, *k.Secret)
	}
}

// keyObject reads the file with a key that a ConfigMap or Secret will hold.
func (p *parser) keyObject(field, kind, key string, object v1alpha1.KeyObject) *plan.TrustObject {
	p.name(field+".name", object.Name, 63)
	data, err := p.input.ReadFile(object.File)
	if err != nil {
		p.Report(field+".file", "file-unreadable", "", "%s", plainError(err))
	} else if err := checkPublicKey(data); err != nil {
		p.Report(field+".file", "key-invalid", "", "%s: %v", object.File, err)
	}
	return &plan.TrustObject{Kind: kind, Name: object.Name, Data: map[string]string{key: string(data)}}
}

// secretDataKey is the only key of a Secret that Kyverno reads.
const secretDataKey = "cosign.pub"

// dataKey returns the key of the ConfigMap that holds a public key: by default the
// name of the file.
func dataKey(object v1alpha1.KeyObject) string { return *or(object.Key, path.Base(object.File)) }

var validDataKey = regexp.MustCompile(`^[-._a-zA-Z0-9]{1,253}$`)

// keyObjects refuses two attestors that want different content under the same key.
func (p *parser) keyObjects() {
	files := map[string]string{}
	for i, a := range p.spec.Trust.Attestors {
		var kind, key string
		var object *v1alpha1.KeyObject
		switch {
		case a.Keys != nil && a.Keys.ConfigMap != nil:
			kind, object = "configMap", a.Keys.ConfigMap
			key = "ConfigMap/" + object.Name + "/" + dataKey(*object)
		case a.Keys != nil && a.Keys.Secret != nil:
			kind, object = "secret", a.Keys.Secret
			key = "Secret/" + object.Name + "/" + secretDataKey
		default:
			continue
		}
		if other, ok := files[key]; ok && other != object.File {
			p.Report(fmt.Sprintf("spec.trust.attestors[%d].keys.%s", i, kind), "key-conflict", "give one of them a different name or key", "%s and %s would both be %s", other, object.File, key)
		}
		files[key] = object.File
	}
}

func (p *parser) keyless(field string, k v1alpha1.Keyless, out *attestor) {
	both := func(exact, pattern *string, name string) {
		if (exact == nil || *exact == "") == (pattern == nil || *pattern == "") {
			p.Report(field, "keyless-identity", "otherwise any identity of the certificate authority would pass", "set exactly one of %s and %sRegExp", name, name)
		}
		if pattern != nil {
			p.identityPattern(field+"."+name+"RegExp", *pattern)
		}
		if exact != nil && strings.ContainsAny(*exact, "*?") {
			p.Report(field+"."+name, "keyless-identity", "use "+name+"RegExp", "%q: an exact value cannot contain wildcards", *exact)
		}
	}
	both(k.Issuer, k.IssuerRegExp, "issuer")
	both(k.Subject, k.SubjectRegExp, "subject")
	out.RekorURL = p.rekor(field+".rekor", k.Rekor, defaultRekorURL)
	out.Keyless = &plan.Keyless{Issuer: *or(k.Issuer, ""), IssuerRegExp: *or(k.IssuerRegExp, ""), Subject: *or(k.Subject, ""), SubjectRegExp: *or(k.SubjectRegExp, "")}
}

// identityPattern refuses a pattern that is not anchored or that matches everything.
func (p *parser) identityPattern(field, pattern string) {
	re, err := regexp.Compile(pattern)
	switch {
	case pattern == "":
	case err != nil:
		p.Report(field, "regexp-invalid", "", "%v", err)
	case !strings.HasPrefix(pattern, "^") || !strings.HasSuffix(pattern, "$") || strings.HasSuffix(pattern, `\$`):
		p.Report(field, "regexp-open", "begin with ^ and end with $", "%q also matches inside a longer identity", pattern)
	case strings.Contains(pattern, "|") && !strings.HasPrefix(pattern, "^("):
		p.Report(field, "regexp-open", "put the alternatives in parentheses: ^(a|b)$", "%q is anchored on one side of each | only", pattern)
	case re.MatchString("https://attacker.invalid/x") || re.MatchString("attacker@attacker.invalid"):
		p.Report(field, "regexp-open", "name the organisation", "%q matches any identity", pattern)
	}
}

// rekor parses the transparency log to ask. It returns otherwise if there is none.
func (p *parser) rekor(field string, r *v1alpha1.Rekor, otherwise string) string {
	if r == nil {
		return otherwise
	}
	if u, err := url.Parse(r.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		p.Report(field+".url", "url-invalid", "", "%q is not the URL of a transparency log", r.URL)
	}
	return r.URL
}
