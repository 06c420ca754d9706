package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
)

// lockVersion is raised when an older gatehouse could misread a newer lock.
const lockVersion = 1

// Lock says what the output was built from and what it contains. It distinguishes the
// files of gatehouse from other files, and edited files from unedited ones. It also
// records the file of each object and what each environment was built with.
type Lock struct {
	// Version of the format.
	Version int `json:"version"`
	// Tool is the version of gatehouse that wrote the output.
	Tool string `json:"tool"`
	// Source is the SHA-256 over the files of the source that were read.
	Source string `json:"source"`
	// Environments by name.
	Environments map[string]LockedEnvironment `json:"environments"`
	// Files by path, sorted, without the lock itself. Encode writes the list even if
	// it is empty.
	Files []LockedFile `json:"files,omitempty"`
}

// LockedKyverno says how Kyverno must be configured, and which Helm release installs it.
// Bootstrap and uninstall use it.
type LockedKyverno struct {
	// SystemNamespaces are left out of Kyverno's webhooks.
	SystemNamespaces []string `json:"systemNamespaces"`
	// ExceptionNamespace is the only namespace whose exceptions count.
	ExceptionNamespace string `json:"exceptionNamespace"`
	// Release is the HelmRelease that installs Kyverno; nil if the repository does not
	// install it.
	Release *LockedRelease `json:"release,omitempty"`
}

// LockedRelease names a HelmRelease.
type LockedRelease struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// LockedEnvironment is what one environment was built with.
type LockedEnvironment struct {
	Stage string `json:"stage"`
	// FluxInstall is spec.flux.install for the environment, cli or operator; empty for
	// none. Bootstrap reads it here, because it sees only the output.
	FluxInstall string `json:"fluxInstall,omitempty"`
	// Kyverno is the configuration of Kyverno that the policies need. It is nil in a
	// lock of an older gatehouse.
	Kyverno *LockedKyverno `json:"kyverno,omitempty"`
	// Policies by name, then tier: Audit or Enforce; a tier that is off is absent.
	Policies map[string]map[string]string `json:"policies"`
}

// LockedFile is one file of the output.
type LockedFile struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"` // hexadecimal, of the bytes that gatehouse wrote
	Layer  string `json:"layer,omitempty"`
	// Objects are the ids of the objects that Flux applies from the file.
	Objects []string `json:"objects,omitempty"`
}

// Encode returns the lock as JSON with one line per file, so that a diff shows files.
func (l Lock) Encode() ([]byte, error) {
	files := slices.SortedFunc(slices.Values(l.Files), func(a, b LockedFile) int { return strings.Compare(a.Path, b.Path) })
	l.Version, l.Files = lockVersion, nil
	head, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the lock: %w", err)
	}
	var b bytes.Buffer
	b.Write(bytes.TrimSuffix(head, []byte("\n}")))
	b.WriteString(",\n  \"files\": [")
	for i, f := range files {
		line, err := json.Marshal(f)
		if err != nil {
			return nil, fmt.Errorf("encoding the lock: %w", err)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n    ")
		b.Write(line)
	}
	b.WriteString("\n  ]\n}\n")
	return b.Bytes(), nil
}

// DecodeLock decodes a lock strictly. A lock of a newer format is an error, because
// misreading it could delete files of the user.
func DecodeLock(data []byte) (*Lock, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var l oldLock
	if err := d.Decode(&l); err != nil {
		return nil, fmt.Errorf("reading %s: %w", layout.Lock, err)
	}
	if l.Version != lockVersion {
		return nil, fmt.Errorf("reading %s: version %d is not known to this gatehouse, which knows %d", layout.Lock, l.Version, lockVersion)
	}
	return l.current(), nil
}

// oldLock is a lock that may say for all environments together what a new one says for
// each.
type oldLock struct {
	Lock
	FluxInstall string         `json:"fluxInstall"`
	Kyverno     *LockedKyverno `json:"kyverno"`
}

func (l oldLock) current() *Lock {
	for name, env := range l.Environments {
		if env.Kyverno == nil {
			env.FluxInstall, env.Kyverno = l.FluxInstall, l.Kyverno
			l.Environments[name] = env
		}
	}
	return &l.Lock
}
