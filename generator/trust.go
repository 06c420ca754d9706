package generator

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
)

// trust checks attestors and image rules: what Kyverno accepts and then
// verifies nothing with is refused (docs/safety.md#attestors).
func (v *validator) trust() {
	attestors := make([]string, len(v.spec.Trust.Attestors))
	for i, a := range v.spec.Trust.Attestors {
		field := fmt.Sprintf("spec.trust.attestors[%d]", i)
		attestors[i] = a.Name
		v.name(field+".name", a.Name, 63)
		v.attestor(field, a)
	}
	v.distinct("spec.trust.attestors", attestors)
	v.keyObjects()
	rules := make([]string, len(v.spec.Trust.Images))
	for i, rule := range v.spec.Trust.Images {
		rules[i] = rule.Name
		v.image(fmt.Sprintf("spec.trust.images[%d]", i), rule, attestors)
	}
	v.distinct("spec.trust.images", rules)
	if _, named := v.spec.Controls[verifyImages]; len(rules) > 0 && !named {
		v.report("spec.trust.images", "images-unverified", "add verify-images to spec.controls, or extend supply-chain", "nothing verifies these images: the control verify-images is not on")
	}
}

// verifyImages is the control that is compiled once for each entry of spec.trust.images.
const verifyImages = "verify-images"

func (v *validator) attestor(field string, a v1alpha1.Attestor) {
	set := 0
	for _, given := range []bool{a.Keys != nil, a.Certificates != nil, a.Keyless != nil, a.Notary != nil} {
		if given {
			set++
		}
	}
	if set != 1 {
		v.report(field, "attestor-kind", "", "exactly one of keys, certificates, keyless and notary is needed, not %d", set)
	}
	if a.Certificates != nil {
		v.report(field+".certificates", "attestor-unsupported", "use keys or keyless", "certificates cannot be compiled yet by this version of gatehouse")
		v.certificates(field+".certificates.file", a.Certificates.File)
		if a.Certificates.ChainFile != nil {
			v.certificates(field+".certificates.chainFile", *a.Certificates.ChainFile)
		}
	}
	if a.Notary != nil {
		v.report(field+".notary", "attestor-unsupported", "use keys or keyless", "notary cannot be compiled yet by this version of gatehouse")
		v.certificates(field+".notary.file", a.Notary.File)
	}
	if a.Keys != nil {
		v.keys(field+".keys", *a.Keys)
	}
	if a.Keyless != nil {
		v.keyless(field+".keyless", *a.Keyless)
	}
}

func (v *validator) keys(field string, k v1alpha1.Keys) {
	set := 0
	for _, given := range []bool{k.PublicKeys != nil, k.ConfigMap != nil, k.Secret != nil, k.KMS != nil} {
		if given {
			set++
		}
	}
	if set != 1 {
		v.report(field, "attestor-kind", "", "exactly one of publicKeys, configMap, secret and kms is needed, not %d", set)
	}
	v.rekor(field+".rekor", k.Rekor)
	if k.PublicKeys != nil {
		if err := checkPublicKey([]byte(*k.PublicKeys)); err != nil {
			v.report(field+".publicKeys", "key-invalid", "", "%v", err)
		}
	}
	for name, object := range map[string]*v1alpha1.KeyObject{".configMap": k.ConfigMap, ".secret": k.Secret} {
		if object == nil {
			continue
		}
		v.name(field+name+".name", object.Name, 63)
		data, err := v.in.ReadFile(object.File)
		if err != nil {
			v.report(field+name+".file", "file-unreadable", "", "%s", plainError(err))
		} else if err := checkPublicKey(data); err != nil {
			v.report(field+name+".file", "key-invalid", "", "%s: %v", object.File, err)
		}
	}
	if k.ConfigMap != nil && k.ConfigMap.Key != nil && !dataKey.MatchString(*k.ConfigMap.Key) {
		v.report(field+".configMap.key", "key-name", "letters, digits, -, _ and .", "%q is not a key of a ConfigMap", *k.ConfigMap.Key)
	}
	if k.Secret != nil && k.Secret.Key != nil && *k.Secret.Key != secretDataKey {
		v.report(field+".secret.key", "key-name", "leave it out", "Kyverno reads %s of a Secret and nothing else", secretDataKey)
	}
	if k.KMS != nil && !kmsURI.MatchString(*k.KMS) {
		v.report(field+".kms", "kms-invalid", "begins with awskms://, gcpkms://, azurekms:// or hashivault://", "%q is not the URI of a key", *k.KMS)
	}
}

// secretDataKey is the only key of a Secret that Kyverno looks at.
const secretDataKey = "cosign.pub"

var (
	dataKey = regexp.MustCompile(`^[-._a-zA-Z0-9]{1,253}$`)
	kmsURI  = regexp.MustCompile(`^(awskms|gcpkms|azurekms|hashivault)://[^\s*?]+$`)
)

// keyObjects refuses two attestors that want different content in one place.
func (v *validator) keyObjects() {
	files := map[string]string{}
	for i, a := range v.spec.Trust.Attestors {
		kind, object := keyObject(a)
		if object == nil {
			continue
		}
		field := fmt.Sprintf("spec.trust.attestors[%d].keys.%s", i, strings.ToLower(kind[:1])+kind[1:])
		place := kind + "/" + object.Name + "/" + *or(object.Key, secretDataKey)
		if other, ok := files[place]; ok && other != object.File {
			v.report(field, "key-conflict", "give one of them another name or key", "%s and %s would both be %s", other, object.File, place)
		}
		files[place] = object.File
	}
}

// keyObject is the ConfigMap or Secret that an attestor's key lies in, or nil.
func keyObject(a v1alpha1.Attestor) (kind string, object *v1alpha1.KeyObject) {
	switch {
	case a.Keys != nil && a.Keys.ConfigMap != nil:
		return "ConfigMap", a.Keys.ConfigMap
	case a.Keys != nil && a.Keys.Secret != nil:
		return "Secret", a.Keys.Secret
	}
	return "", nil
}

func (v *validator) keyless(field string, k v1alpha1.Keyless) {
	both := func(exact, pattern *string, name string) {
		if (exact == nil || *exact == "") == (pattern == nil || *pattern == "") {
			v.report(field, "keyless-identity", "without it any identity of the certificate authority would pass", "exactly one of %s and %sRegExp is needed", name, name)
		}
		if pattern != nil {
			v.identityPattern(field+"."+name+"RegExp", *pattern)
		}
		if exact != nil && strings.ContainsAny(*exact, "*?") {
			v.report(field+"."+name, "keyless-identity", "use "+name+"RegExp", "%q: wildcards are not exact", *exact)
		}
	}
	both(k.Issuer, k.IssuerRegExp, "issuer")
	both(k.Subject, k.SubjectRegExp, "subject")
	v.rekor(field+".rekor", k.Rekor)
}

func (v *validator) certificates(field, file string) {
	data, err := v.in.ReadFile(file)
	if err != nil {
		v.report(field, "file-unreadable", "", "%s", plainError(err))
	} else if err := checkCertificates(data, v.now); err != nil {
		v.report(field, "certificate-invalid", "", "%s: %v", file, err)
	}
}

// identityPattern refuses a pattern that is not anchored or that everything matches.
func (v *validator) identityPattern(field, pattern string) {
	re, err := regexp.Compile(pattern)
	switch {
	case pattern == "":
	case err != nil:
		v.report(field, "regexp-invalid", "", "%v", err)
	case !strings.HasPrefix(pattern, "^") || !strings.HasSuffix(pattern, "$") || strings.HasSuffix(pattern, `\$`):
		v.report(field, "regexp-open", "begin with ^ and end with $", "%q also matches inside a longer identity", pattern)
	case strings.Contains(pattern, "|") && !strings.HasPrefix(pattern, "^("):
		v.report(field, "regexp-open", "put the alternatives in parentheses: ^(a|b)$", "%q is anchored on one side of each | only", pattern)
	case re.MatchString("https://attacker.invalid/x") || re.MatchString("attacker@attacker.invalid"):
		v.report(field, "regexp-open", "name the organisation", "%q matches anybody", pattern)
	}
}

func (v *validator) rekor(field string, r *v1alpha1.Rekor) {
	if r == nil {
		return
	}
	if u, err := url.Parse(r.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		v.report(field+".url", "url-invalid", "", "%q is not the URL of a transparency log", r.URL)
	}
}

func (v *validator) image(field string, rule v1alpha1.ImageRule, attestors []string) {
	v.name(field+".name", rule.Name, 40)
	if len(rule.References) == 0 {
		v.report(field+".references", "required", "", "at least one reference is needed")
	}
	v.distinct(field+".references", rule.References)
	for i, ref := range rule.References {
		if _, err := expandReference(ref); err != nil {
			v.report(fmt.Sprintf("%s.references[%d]", field, i), "image-reference", "a repository such as ghcr.io/acme/app, or a glob such as ghcr.io/acme/*", "%v", err)
		}
	}
	if len(rule.Attestors.Of) == 0 {
		v.report(field+".attestors", "image-attestors", "", "without attestors nothing is verified")
	}
	v.distinct(field+".attestors", rule.Attestors.Of)
	for i, name := range rule.Attestors.Of {
		v.known(fmt.Sprintf("%s.attestors[%d]", field, i), "attestor-unknown", "attestor", name, attestors)
	}
	if count := *rule.Attestors.Count; len(rule.Attestors.Of) > 0 && (count < 1 || count > len(rule.Attestors.Of)) {
		v.report(field+".attestors.count", "out-of-range", "", "%d of %d attestors cannot be asked for", count, len(rule.Attestors.Of))
	}
	if len(rule.Tiers) == 0 {
		v.report(field+".tiers", "required", "leave the field out for all tiers", "at least one tier is needed")
	}
	v.distinct(field+".tiers", rule.Tiers)
	for i, t := range rule.Tiers {
		v.known(fmt.Sprintf("%s.tiers[%d]", field, i), "tier-unknown", "tier", t, v.spec.Tiers)
	}
}

var (
	referenceText = regexp.MustCompile(`^[a-z0-9*._/:-]+$`)
	// dockerHub are the names under which one registry answers: a rule for one
	// of them must hold for all. The short name is what Kyverno makes of an
	// image without a registry.
	dockerHub = []string{"docker.io", "index.docker.io", "registry-1.docker.io"}
)

// expandReference turns what the author names into globs that cannot be
// bypassed: Kyverno matches repo:tag or repo@digest, never both
// (docs/image-traps.md#references), so a repository becomes repo:* and repo@*,
// and one of Docker Hub is written under each of its names.
func expandReference(ref string) ([]string, error) {
	repository := strings.TrimSuffix(strings.TrimSuffix(ref, ":*"), "@*")
	slash := strings.LastIndex(repository, "/")
	switch {
	case ref == "*":
		return []string{"*"}, nil
	case strings.ToLower(ref) != ref:
		return nil, fmt.Errorf("%q has upper-case letters; references are lower case", ref)
	case strings.Contains(repository, "@") || strings.Contains(repository[slash+1:], ":"):
		return nil, fmt.Errorf("%q names a tag or digest: the same image written the other way would not be verified", ref)
	case !referenceText.MatchString(repository) || strings.Contains(repository, "//") || strings.HasPrefix(repository, "/") || strings.HasSuffix(repository, "/"):
		return nil, fmt.Errorf("%q is not an image reference", ref)
	}
	var globs []string
	for _, full := range registryNames(repository) {
		if strings.HasSuffix(full, "*") {
			globs = append(globs, full)
		} else {
			globs = append(globs, full+":*", full+"@*")
		}
	}
	return globs, nil
}

// registryNames completes a repository by its registry, under all names of it.
func registryNames(repository string) []string {
	host, rest, found := strings.Cut(repository, "/")
	if found && !strings.ContainsAny(host, ".:*") && host != "localhost" || !found && !strings.ContainsAny(host, "*") {
		host, rest = dockerHub[0], repository
	}
	if !slices.Contains(dockerHub, host) {
		return []string{repository}
	}
	// nginx is docker.io/library/nginx, and Kyverno makes docker.io/nginx of it.
	rests := []string{rest}
	if official, ok := strings.CutPrefix(rest, "library/"); ok {
		rests = append(rests, official)
	} else if !strings.Contains(rest, "/") {
		rests = append(rests, "library/"+rest)
	}
	var names []string
	for _, h := range dockerHub {
		for _, r := range rests {
			names = append(names, h+"/"+r)
		}
	}
	return names
}

// checkPublicKey accepts one PEM block PUBLIC KEY with a key that is strong enough.
func checkPublicKey(data []byte) error {
	block, rest := pem.Decode(data)
	switch {
	case block == nil:
		return errors.New("holds no PEM block")
	case strings.Contains(block.Type, "PRIVATE KEY"):
		return errors.New("holds a private key; remove it, and replace the key: it has been seen")
	case block.Type != "PUBLIC KEY":
		return fmt.Errorf("holds a PEM block %q, not PUBLIC KEY", block.Type)
	}
	if before, _, _ := bytes.Cut(data, []byte("-----BEGIN")); len(bytes.TrimSpace(before)) > 0 {
		return errors.New("has text before the PEM block")
	}
	if next, _ := pem.Decode(rest); next != nil {
		if strings.Contains(next.Type, "PRIVATE KEY") {
			return errors.New("holds a private key; remove it, and replace the key: it has been seen")
		}
		return errors.New("holds several keys; make an attestor of each and say with count how many are enough")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return errors.New("has text after the PEM block")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("is not a public key: %w", err)
	}
	return checkStrength(key)
}

func checkStrength(key any) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return fmt.Errorf("is an RSA key of %d bits; at least 2048 are needed", k.N.BitLen())
		}
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize < 256 {
			return fmt.Errorf("is an ECDSA key of %d bits; at least 256 are needed", k.Curve.Params().BitSize)
		}
	case ed25519.PublicKey:
	default:
		return fmt.Errorf("is a %T, which cosign does not verify with", key)
	}
	return nil
}

// checkCertificates accepts one or more PEM certificates that are valid at the time.
func checkCertificates(data []byte, now time.Time) error {
	found := false
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("holds a PEM block %q, not CERTIFICATE", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		switch {
		case err != nil:
			return fmt.Errorf("is not a certificate: %w", err)
		case now.After(c.NotAfter):
			return fmt.Errorf("%s expired on %s", c.Subject, c.NotAfter.UTC().Format(time.DateOnly))
		}
		if err := checkStrength(c.PublicKey); err != nil {
			return fmt.Errorf("%s %w", c.Subject, err)
		}
		found = true
	}
	if !found {
		return errors.New("holds no PEM block")
	}
	return nil
}
