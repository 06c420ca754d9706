package profile

import (
	"regexp"
	"strings"
)

// kmsForm is how a key management service names a key. The patterns are those of
// github.com/sigstore/sigstore/pkg/signature/kms v1.10.9, with which Kyverno opens the key,
// without what they take by mistake: an ARN as the host of AWS, and white space.
type kmsForm struct {
	scheme  string
	pattern *regexp.Regexp
	hint    string
}

const (
	awsID   = `m?r?k?-?[A-Fa-f0-9]{8}-?[A-Fa-f0-9]{4}-?[A-Fa-f0-9]{4}-?[A-Fa-f0-9]{4}-?[A-Fa-f0-9]{12}`
	awsARN  = `arn:(aws|aws-us-gov|aws-cn):kms:[a-z0-9-]+:[0-9]{12}:`
	awsHint = "use awskms:///ARN with three slashes, or awskms://HOST/ARN; instead of the ARN of a key or an alias also the id of a key, or alias/NAME"
	gcpHint = "use gcpkms://projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY, and at the end perhaps /cryptoKeyVersions/VERSION"
)

func kmsForms() []kmsForm {
	vault := regexp.MustCompile(`^(hashivault|openbao)://[0-9A-Za-z_](([-0-9A-Za-z_.]+)?[0-9A-Za-z_])?$`)
	return []kmsForm{
		{"awskms://", regexp.MustCompile(`^awskms://([^/\s]*)/((` + awsARN + `)?alias/\S+|(` + awsARN + `key/)?` + awsID + `)$`), awsHint},
		{"gcpkms://", regexp.MustCompile(`^gcpkms://projects/[^/\s]+/locations/[^/\s]+/keyRings/[^/\s]+/cryptoKeys/[^/\s]+(/(cryptoKeyVersions|versions)/[^/\s]+)?$`), gcpHint},
		{"azurekms://", regexp.MustCompile(`^azurekms://[^/\s]+/[^/\s]+(/[a-z0-9]*)?$`), "use azurekms://VAULT.vault.azure.net/KEY, and at the end perhaps /VERSION"},
		{"hashivault://", vault, "use hashivault://KEY with the name of a key of the transit engine"},
		{"openbao://", vault, "use openbao://KEY with the name of a key of the transit engine"},
	}
}

// checkKMS returns what to write instead of a URI that names no key; empty for a good one.
func checkKMS(uri string) (hint string) {
	var schemes []string
	for _, form := range kmsForms() {
		if !strings.HasPrefix(uri, form.scheme) {
			schemes = append(schemes, form.scheme)
			continue
		}
		if form.pattern.MatchString(uri) && !strings.HasPrefix(uri, "awskms://arn:") {
			return ""
		}
		return form.hint
	}
	if strings.HasPrefix(uri, "k8s://") {
		return "a Secret is no key management service: use keys.secret"
	}
	return "must begin with " + strings.Join(schemes[:len(schemes)-1], ", ") + " or " + schemes[len(schemes)-1]
}
