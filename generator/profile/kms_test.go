package profile

import (
	"strings"
	"testing"
)

func TestCheckKMS(t *testing.T) {
	const id, arn = "1234abcd-12ab-34cd-56ef-1234567890ab", "arn:aws:kms:eu-west-1:111122223333:"
	const ring = "gcpkms://projects/acme/locations/global/keyRings/r/cryptoKeys/k"
	for uri, want := range map[string]string{
		"awskms:///" + arn + "key/" + id:                                     "",
		"awskms:///" + arn + "alias/release":                                 "",
		"awskms:///alias/release/2027":                                       "",
		"awskms:///" + id:                                                    "",
		"awskms:///mrk-1234abcd12ab34cd56ef1234567890ab":                     "",
		"awskms://localhost:4566/" + id:                                      "",
		"awskms://kms.example:443/" + arn + "key/" + id:                      "",
		"awskms:///arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/" + id:  "",
		"awskms:///arn:aws-cn:kms:cn-north-1:111122223333:key/mrk-" + id[:8]: "three slashes",
		"awskms://" + arn + "key/" + id:                                      "three slashes",
		"awskms://" + arn + "alias/release":                                  "three slashes",
		"awskms:///arn:aws:kms:eu-west-1:1:key/" + id:                        "three slashes",
		"awskms:///arn:aws:s3:eu-west-1:111122223333:key/" + id:              "three slashes",
		"awskms:///release":                                                  "three slashes",
		"awskms:///alias/":                                                   "three slashes",
		"awskms://" + id:                                                     "three slashes",
		ring:                                                                 "",
		ring + "/cryptoKeyVersions/1":                                        "",
		ring + "/versions/1":                                                 "",
		ring + "/versions/":                                                  "projects/PROJECT",
		"gcpkms://projects/acme":                                             "projects/PROJECT",
		"gcpkms:///" + ring[9:]:                                              "projects/PROJECT",
		"azurekms://v.vault.azure.net/k":                                     "",
		"azurekms://v.vault.azure.net/k/0a1b":                                "",
		"azurekms://v.vault.azure.net/k/":                                    "",
		"azurekms://v.vault.azure.net/k/V1":                                  "VAULT.vault",
		"azurekms://v.vault.azure.net":                                       "VAULT.vault",
		"azurekms://v/keys/k/0a1b":                                           "VAULT.vault",
		"hashivault://release":                                               "",
		"hashivault://release.key-2":                                         "",
		"openbao://release":                                                  "",
		"hashivault://transit/release":                                       "hashivault://KEY",
		"hashivault://release key":                                           "hashivault://KEY",
		"hashivault://":                                                      "hashivault://KEY",
		"k8s://kyverno/release":                                              "keys.secret",
		"AWSKMS:///" + id:                                                    "must begin with awskms://",
		"https://example.com/release.pub":                                    "must begin with awskms://, gcpkms://, azurekms://, hashivault:// or openbao://",
		"/keys/release.pub":                                                  "must begin with",
		"":                                                                   "must begin with",
	} {
		if got := checkKMS(uri); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", uri, got, want)
		}
	}
}
