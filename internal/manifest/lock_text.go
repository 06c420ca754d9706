package manifest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
)

// lockVersion is raised when an older gatehouse could misread a newer lock.
const lockVersion = 2

// fact is one line of a lock: the version, or a fact about one environment, or about one
// file.
type fact struct {
	Version     int              `json:"version,omitempty"`
	FluxInstall string           `json:"fluxInstall,omitempty"`
	Kyverno     *LockedKyverno   `json:"kyverno,omitempty"`
	Deployers   *LockedDeployers `json:"deployers,omitempty"`
	Environment string           `json:"environment,omitempty"`
	Clusters    []string         `json:"clusters,omitempty"`
	Changes     string           `json:"changes,omitempty"`
	Control     string           `json:"control,omitempty"`
	Stage       string           `json:"stage,omitempty"`
	Policy      *LockedPolicy    `json:"policy,omitempty"`
	Namespace   *LockedNamespace `json:"namespace,omitempty"`
	Workload    *LockedWorkload  `json:"workload,omitempty"`
	Network     json.RawMessage  `json:"network,omitempty"`
	Kept        *LockedKept      `json:"kept,omitempty"`
	File        *LockedFile      `json:"file,omitempty"`
}

// Encode returns the text of the lock. A comment that names what a fact is about is
// before each fact, and an empty line after it: they do not change with the fact, so
// that Git sees changes of two facts, or a change beside a new fact, as different places.
func (l Lock) Encode() ([]byte, error) {
	facts := []fact{{Version: lockVersion}}
	for _, name := range slices.Sorted(maps.Keys(l.Environments)) {
		for _, f := range l.Environments[name].facts() {
			f.Environment = name
			facts = append(facts, f)
		}
	}
	for _, f := range slices.SortedFunc(slices.Values(l.Files), compareFiles) {
		facts = append(facts, fact{File: &f})
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	for i, f := range facts {
		if i > 0 {
			fmt.Fprintf(&b, "\n%s%s\n", commentMark, f.about())
		}
		if err := encoder.Encode(f); err != nil {
			return nil, fmt.Errorf("encoding the lock: %w", err)
		}
	}
	return b.Bytes(), nil
}

// commentMark begins a line that is not a fact.
const commentMark = "# "

// key distinguishes facts that can be true at the same time: a policy may enforce one
// content in a tier, and audit another.
func (f fact) key() string {
	if f.Policy != nil {
		return f.about() + " " + f.Policy.Action
	}
	return f.about()
}

// about returns what the fact is about.
func (f fact) about() string {
	words := []string{f.Environment}
	switch {
	case f.File != nil:
		words = []string{f.File.Path, f.File.Part}
	case f.Clusters != nil:
		words = append(words, "clusters")
	case f.FluxInstall != "":
		words = append(words, "fluxInstall")
	case f.Kyverno != nil:
		words = append(words, "kyverno")
	case f.Deployers != nil:
		words = append(words, "deployers")
	case f.Control != "":
		words = append(words, "control", f.Control)
	case f.Stage != "":
		words = append(words, "stage")
	case f.Changes != "":
		words = append(words, "changes")
	case f.Policy != nil:
		words = append(words, "policy", f.Policy.Name, f.Policy.Tier)
	case f.Namespace != nil:
		words = append(words, "namespace", f.Namespace.Name)
	case f.Workload != nil:
		words = append(words, "workload", f.Workload.Name)
	case f.Network != nil:
		words = append(words, "network")
	case f.Kept != nil:
		words = append(words, f.Kept.Kind, f.Kept.Name)
		if f.Kept.Since != "" { // there may be several that the source no longer has
			words = append(words, "kept", shortHash(f.Kept.Definition))
		}
	}
	return strings.TrimSpace(strings.Join(words, " "))
}

func shortHash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:4])
}

func compareFiles(a, b LockedFile) int {
	return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Part, b.Part), strings.Compare(a.SHA256, b.SHA256))
}

// facts returns the lines of an environment. The first line rarely changes: it keeps
// the others apart from those of the environment before.
func (e LockedEnvironment) facts() []fact {
	facts := []fact{{Clusters: e.Clusters}}
	if e.FluxInstall != "" {
		facts = append(facts, fact{FluxInstall: e.FluxInstall})
	}
	if e.Kyverno != nil {
		facts = append(facts, fact{Kyverno: e.Kyverno})
	}
	if e.Deployers != nil {
		facts = append(facts, fact{Deployers: e.Deployers})
	}
	for _, stage := range e.Stages {
		facts = append(facts, fact{Stage: stage})
	}
	if e.Changes != "" {
		facts = append(facts, fact{Changes: e.Changes})
	}
	for _, id := range slices.Sorted(maps.Keys(e.Controls)) {
		for _, stage := range e.Controls[id] {
			facts = append(facts, fact{Control: id, Stage: stage})
		}
	}
	for _, p := range slices.SortedFunc(slices.Values(e.Policies), comparePolicies) {
		facts = append(facts, fact{Policy: &p})
	}
	for _, n := range slices.SortedFunc(slices.Values(e.Namespaces), func(a, b LockedNamespace) int { return strings.Compare(a.Name, b.Name) }) {
		facts = append(facts, fact{Namespace: &n})
	}
	for _, w := range slices.SortedFunc(slices.Values(e.Workloads), func(a, b LockedWorkload) int { return strings.Compare(a.Name, b.Name) }) {
		facts = append(facts, fact{Workload: &w})
	}
	for _, n := range e.Networks {
		facts = append(facts, fact{Network: n})
	}
	for _, k := range slices.SortedFunc(slices.Values(e.Kept), compareKept) {
		facts = append(facts, fact{Kept: &k})
	}
	return facts
}

func comparePolicies(a, b LockedPolicy) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Tier, b.Tier), strings.Compare(a.Action, b.Action),
		strings.Compare(a.Content, b.Content), strings.Compare(a.Since, b.Since))
}

func compareKept(a, b LockedKept) int {
	return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name), strings.Compare(a.Since, b.Since), bytes.Compare(a.Definition, b.Definition))
}

// ErrHalfResolved is wrapped by the error of DecodeLock if a mark of a conflict is left
// over: which lines are of which side is lost.
var ErrHalfResolved = errors.New("a mark of a merge conflict is left, and the one that begins it is gone; " +
	"during the merge, git checkout --merge -- " + layout.Lock + " brings the conflict back; then run gatehouse build, which resolves it")

// DecodeLock decodes a lock strictly. A lock of a newer format is an error, because
// misreading it could delete files of the user.
//
// It takes both sides of a conflict that Git has marked.
func DecodeLock(data []byte) (*Lock, error) {
	if first, err := decodeFirstLock(data); first != nil || err != nil {
		return first, err
	}
	l := &Lock{Environments: map[string]LockedEnvironment{}, Merged: HasMarkers(data)}
	seen, known := map[string]bool{}, map[string]bool{}
	for i, line := range strings.Split(string(WithoutMarkers(data)), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" || strings.HasPrefix(line, commentMark) || seen[line] {
			continue
		}
		seen[line] = true
		if isMarker(line) {
			return nil, fmt.Errorf("reading %s: line %d: %w", layout.Lock, i+1, ErrHalfResolved)
		}
		f, err := decodeFact(line)
		if err == nil {
			err = l.add(f)
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: line %d: %w", layout.Lock, i+1, err)
		}
		l.Merged = l.Merged || known[f.key()]
		known[f.key()] = true
	}
	if !seen[fmt.Sprintf(`{"version":%d}`, lockVersion)] {
		return nil, fmt.Errorf("reading %s: the version is missing", layout.Lock)
	}
	slices.SortFunc(l.Files, compareFiles)
	return l, nil
}

func decodeFact(line string) (fact, error) {
	d := json.NewDecoder(strings.NewReader(line))
	d.DisallowUnknownFields()
	var f fact
	if err := d.Decode(&f); err != nil {
		return f, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return f, errors.New("text after the fact")
	}
	if len(f.Clusters) == 0 {
		f.Clusters = nil // as it is encoded
	}
	return f, nil
}

func (l *Lock) add(f fact) error {
	switch {
	case f.Version != 0:
		if f.Version != lockVersion {
			return fmt.Errorf("version %d is not known to this gatehouse, which knows %d", f.Version, lockVersion)
		}
	case f.File != nil:
		l.Files = append(l.Files, *f.File)
	case f.Environment != "":
		if err := f.check(); err != nil {
			return err
		}
		e := l.Environments[f.Environment]
		e.add(f)
		l.Environments[f.Environment] = e
	default:
		return errors.New("the line says nothing")
	}
	return nil
}

// check refuses values that would be misread: as another action, or as a day long ago.
func (f fact) check() error {
	days := []string{f.Changes}
	if f.Policy != nil {
		if f.Policy.Action != "Audit" && f.Policy.Action != "Enforce" {
			return fmt.Errorf("action %q is not Audit or Enforce", f.Policy.Action)
		}
		days = append(days, f.Policy.Since)
	}
	if f.Namespace != nil {
		days = slices.AppendSeq(days, maps.Values(f.Namespace.Waits))
	}
	if f.Kept != nil {
		days = append(days, f.Kept.Since)
	}
	for _, day := range days {
		if _, err := time.Parse(time.DateOnly, day); err != nil && day != "" {
			return fmt.Errorf("%q is not a day", day)
		}
	}
	return nil
}

// add adds a fact. Of two facts after a merge it keeps both, or the one that lets less be
// enforced: the later day of a change that was accepted (nothing of the other branch is
// then accepted with it), the system namespaces of both.
func (e *LockedEnvironment) add(f fact) {
	switch {
	case f.Clusters != nil:
		e.Clusters = union(e.Clusters, f.Clusters)
	case f.Control != "":
		if e.Controls == nil {
			e.Controls = map[string][]string{}
		}
		e.Controls[f.Control] = append(e.Controls[f.Control], f.Stage)
	case f.Stage != "":
		e.Stages = append(e.Stages, f.Stage)
	case f.Kyverno != nil:
		if e.Kyverno != nil {
			f.Kyverno.SystemNamespaces = union(e.Kyverno.SystemNamespaces, f.Kyverno.SystemNamespaces)
		}
		e.Kyverno = f.Kyverno
	case f.Deployers != nil:
		e.Deployers = f.Deployers.and(e.Deployers)
	case f.FluxInstall != "":
		e.FluxInstall = f.FluxInstall
	case f.Changes != "":
		e.Changes = max(e.Changes, f.Changes)
	case f.Policy != nil:
		e.Policies = append(e.Policies, *f.Policy)
	case f.Namespace != nil:
		e.Namespaces = append(e.Namespaces, *f.Namespace)
	case f.Workload != nil:
		e.Workloads = append(e.Workloads, *f.Workload)
	case f.Network != nil:
		e.Networks = append(e.Networks, f.Network)
	case f.Kept != nil:
		e.Kept = append(e.Kept, *f.Kept)
	}
}

// union returns what is in either list, in order, if both are.
func union(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// and returns whom both accept; l if there is no other.
func (l *LockedDeployers) and(other *LockedDeployers) *LockedDeployers {
	switch {
	case other == nil || other.Anyone:
		return l
	case l.Anyone:
		return other
	}
	return &LockedDeployers{Users: common(l.Users, other.Users), Groups: common(l.Groups, other.Groups)}
}

// common returns what is in both lists.
func common(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}
