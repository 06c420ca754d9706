package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// Catalog is a set of controls, ordered by id. The zero value is empty.
type Catalog struct {
	controls []*Control
	broken   []string
}

// Set holds the controls of one folder.
type Set struct {
	Controls []*Control
	// Broken holds the names of the controls that have problems and are not in
	// Controls, and those of their folders.
	Broken []string
}

// Load reads the controls below root, one folder each, in the order of their names.
// It ignores files next to the folders, and folders whose name begins with a dot. It
// reports every problem. It reads templates but does not parse them; see
// [Control.Verify].
func Load(fsys fs.FS, root string) (Set, diag.List) {
	var problems diag.List
	var set Set
	entries, err := fs.ReadDir(fsys, root)
	if err != nil {
		problems.Add(diag.Diagnostic{Code: codeControl, Position: diag.Position{File: root}, Summary: "reading the catalogue: " + cause(err)})
		return set, problems
	}
	for _, entry := range entries {
		if !entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		c, found := load(fsys, path.Join(root, entry.Name()))
		problems = append(problems, found...)
		if found.HasErrors() {
			set.Broken = append(set.Broken, entry.Name())
			if c != nil && c.ID != entry.Name() {
				set.Broken = append(set.Broken, c.ID)
			}
		} else {
			set.Controls = append(set.Controls, c)
		}
	}
	return set, problems
}

// New joins sets of controls: the built-in ones first, then those of the user.
// A duplicate id is a problem: a control of the user must not change what a built-in
// id means to the reader of a profile. The first control stays.
func New(sets ...Set) (*Catalog, diag.List) {
	var problems diag.List
	out := &Catalog{}
	seen := map[string]*Control{}
	for _, set := range sets {
		out.broken = append(out.broken, set.Broken...)
		for _, c := range set.Controls {
			if first, twice := seen[c.ID]; twice {
				problems.Add(diag.Diagnostic{Code: "control-duplicate", Position: diag.Position{File: path.Join(c.Dir, controlFileName), Line: 1}, Path: "metadata.name",
					Summary: fmt.Sprintf("there is already a control %s in %s", c.ID, first.Dir), Hint: "give it another name"})
				continue
			}
			seen[c.ID] = c
			out.controls = append(out.controls, c)
		}
	}
	slices.SortFunc(out.controls, func(a, b *Control) int { return strings.Compare(a.ID, b.ID) })
	return out, append(problems, out.check()...)
}

// check reports what is wrong with controls that need each other: at most one may emit
// NetworkPolicies, and a control follows one that exists and follows none.
func (c *Catalog) check() diag.List {
	var problems diag.List
	problem := func(control *Control, field, hint, format string, args ...any) {
		problems.Add(diag.Diagnostic{Code: codeControl, Position: diag.Position{File: path.Join(control.Dir, controlFileName), Line: 1}, Path: field,
			Summary: fmt.Sprintf(format, args...), Hint: hint})
	}
	for _, control := range c.controls {
		if control.Emits == EmitsNetwork && control.ID != DefaultDeny {
			problem(control, "spec.emits", "", "only the built-in control %s emits network", DefaultDeny)
		}
		if control.Follows == "" || slices.Contains(c.broken, control.Follows) {
			continue
		}
		followed, ok := c.Control(control.Follows)
		switch {
		case !ok:
			problem(control, "spec.follows", diag.DidYouMean(control.Follows, c.Defined()), "there is no control %q", control.Follows)
		case followed.Follows != "":
			problem(control, "spec.follows", "", "%s follows another control itself", control.Follows)
		}
	}
	return problems
}

// Controls returns all controls, ordered by id.
func (c *Catalog) Controls() []*Control { return slices.Clone(c.controls) }

// IDs returns the ids of all controls, ordered.
func (c *Catalog) IDs() []string {
	out := make([]string, len(c.controls))
	for i, control := range c.controls {
		out[i] = control.ID
	}
	return out
}

// Defined returns the ids of all controls, and of those that could not be read: a
// reference to one of these is not a mistake.
func (c *Catalog) Defined() []string { return append(c.IDs(), c.broken...) }

// Control returns the control with the id, and reports whether it exists.
func (c *Catalog) Control(id string) (*Control, bool) {
	i, ok := slices.BinarySearchFunc(c.controls, id, func(c *Control, id string) int { return strings.Compare(c.ID, id) })
	if !ok {
		return nil, false
	}
	return c.controls[i], true
}

// cause returns the text of a file system error without the path, which the position has.
func cause(err error) string {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err.Error()
	}
	return err.Error()
}
