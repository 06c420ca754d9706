package main

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
)

//go:embed scaffold
var scaffold embed.FS

type initOptions struct {
	name         string
	environments []string
	policyType   string
}

func newInitCmd() *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Scaffold a source that is ready to build",
		Long: `Scaffold a source in DIR: a profile and a file for each environment, with comments
that explain the fields, and the JSON Schema for editors. Existing files are
never touched.

Controls become policies of the kind that --policy-type names; with
ValidatingAdmissionPolicy, the profile says that no cluster needs Kyverno.`,
		Example: `  gatehouse init profile --environments dev,staging,prod
  gatehouse build profile -o policy-repo

  # without Kyverno
  gatehouse init profile --policy-type ValidatingAdmissionPolicy`,
		Args: exactArgs("DIR"), ValidArgsFunction: completeArgs(completeFolders),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runInit(args[0], o, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&o.name, "name", "platform", "`NAME` of the profile")
	cmd.Flags().StringSliceVar(&o.environments, "environments", []string{"dev", "staging", "prod"}, "`NAMES` of the environments, in the order in which changes reach them")
	choiceVar(cmd, cmd.Flags(), &o.policyType, "policy-type", "", "the `KIND` of policies that controls become", catalog.ValidatingPolicy, catalog.ValidatingAdmissionPolicy, catalog.ClusterPolicy)
	complete(cmd, "name", cobra.NoFileCompletions)
	complete(cmd, "environments", cobra.NoFileCompletions)
	return cmd
}

func runInit(dir string, o initOptions, errOut io.Writer) error {
	files, err := scaffoldFiles(o)
	if err != nil {
		return err
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is a file, not a folder; nothing was written", dir)
	}
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(dir, f.path)); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s already exists; nothing was written", filepath.Join(dir, f.path))
		}
	}
	for _, f := range files {
		name := filepath.Join(dir, f.path)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return fmt.Errorf("scaffolding: %w", err)
		}
		if err := os.WriteFile(name, f.data, 0o644); err != nil {
			return fmt.Errorf("scaffolding: %w", err)
		}
	}
	fmt.Fprintf(errOut, "%s: %d files written; next: gatehouse build %s -o policy-repo\n", dir, len(files), dir)
	return nil
}

type scaffoldFile struct {
	path string
	data []byte
}

func scaffoldFiles(o initOptions) ([]scaffoldFile, error) {
	for _, name := range append([]string{o.name}, o.environments...) {
		if errs := validation.IsDNS1123Label(name); len(errs) > 0 || len(name) > 40 {
			return nil, usagef("%q is not a valid name: use at most 40 lower-case letters, digits and dashes", name)
		}
	}
	if len(o.environments) == 0 {
		return nil, usagef("--environments names no environment")
	}
	files := []scaffoldFile{
		{".schema.json", v1alpha1.Schema()},
		{"profile.yaml", fill("profile.yaml", "POLICYTYPE", o.policyType, "INSTALL", o.install(), "NAME", o.name)},
	}
	seen := map[string]bool{}
	for i, name := range o.environments {
		if seen[name] {
			return nil, usagef("environment %q is given twice", name)
		}
		seen[name] = true
		files = append(files, scaffoldFile{filepath.Join("environments", name+".yaml"), fill("environment.yaml", "NAME", name, "RING", strconv.Itoa(i+1))})
	}
	return files, nil
}

// install is the installation of Kyverno that the kind of policies needs.
func (o initOptions) install() string {
	if o.policyType == catalog.ValidatingAdmissionPolicy {
		return v1alpha1.KyvernoAbsent
	}
	return v1alpha1.KyvernoByHelm
}

func fill(name string, oldNew ...string) []byte {
	data, err := scaffold.ReadFile("scaffold/" + name)
	if err != nil {
		panic(err) // an embedded file always exists
	}
	return []byte(strings.NewReplacer(oldNew...).Replace(string(data)))
}
