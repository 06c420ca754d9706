// Command sbom writes the bill of materials of a Go program as SPDX 2.3 JSON:
//
//	go run ./hack/sbom -created 2026-11-22T00:00:00Z -o gatehouse.spdx.json gatehouse
//
// It lists the modules that the linker recorded in the program, and needs no network. The
// same program and time give the same bytes.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("sbom", flag.ContinueOnError)
	created := flags.String("created", "", "the `TIME` of the source, RFC 3339 (required)")
	output := flags.String("o", "", "write to `FILE` instead of standard output")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("takes one program, got %d", flags.NArg())
	}
	at, err := time.Parse(time.RFC3339, *created)
	if err != nil {
		return fmt.Errorf("-created: %w", err)
	}
	program := flags.Arg(0)
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return fmt.Errorf("reading the build information: %w", err)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(describe(filepath.Base(program), info, sha256.Sum256(content), at.UTC()), "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if *output != "" {
		return os.WriteFile(*output, text, 0o644)
	}
	_, err = out.Write(text)
	return err
}

// The parts of SPDX 2.3 that say which modules are in a program.
type (
	document struct {
		Version       string         `json:"spdxVersion"`
		License       string         `json:"dataLicense"`
		ID            string         `json:"SPDXID"`
		Name          string         `json:"name"`
		Namespace     string         `json:"documentNamespace"`
		Creation      creation       `json:"creationInfo"`
		Packages      []pkg          `json:"packages"`
		Relationships []relationship `json:"relationships"`
	}
	creation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	pkg struct {
		ID       string      `json:"SPDXID"`
		Name     string      `json:"name"`
		Version  string      `json:"versionInfo,omitempty"`
		Location string      `json:"downloadLocation"`
		Analyzed bool        `json:"filesAnalyzed"`
		Sums     []checksum  `json:"checksums,omitempty"`
		Refs     []reference `json:"externalRefs,omitempty"`
	}
	checksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	reference struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	relationship struct {
		From string `json:"spdxElementId"`
		Type string `json:"relationshipType"`
		To   string `json:"relatedSpdxElement"`
	}
)

// describe returns the document: the program, which contains the Go standard library and
// each module.
func describe(name string, info *debug.BuildInfo, sum [sha256.Size]byte, created time.Time) document {
	const top = "SPDXRef-Program"
	digest := fmt.Sprintf("%x", sum)
	d := document{
		Version: "SPDX-2.3", License: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: name,
		Namespace: "https://gatehouse.dev/sbom/" + name + "/" + digest,
		Creation:  creation{Created: created.Format(time.RFC3339), Creators: []string{"Tool: gatehouse-hack-sbom"}},
		Packages: []pkg{{
			ID: top, Name: name, Version: info.Main.Version, Location: "NOASSERTION",
			Sums: []checksum{{Algorithm: "SHA256", Value: digest}}, Refs: purl(info.Main.Path, info.Main.Version),
		}},
		Relationships: []relationship{{From: "SPDXRef-DOCUMENT", Type: "DESCRIBES", To: top}},
	}
	contain := func(path, version string) {
		id := fmt.Sprintf("SPDXRef-Module-%d", len(d.Packages))
		d.Packages = append(d.Packages, pkg{ID: id, Name: path, Version: version, Location: "NOASSERTION", Refs: purl(path, version)})
		d.Relationships = append(d.Relationships, relationship{From: top, Type: "CONTAINS", To: id})
	}
	contain("stdlib", strings.TrimPrefix(info.GoVersion, "go"))
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		contain(module.Path, module.Version)
	}
	return d
}

// purl returns the package URL, by which scanners look up vulnerabilities.
func purl(path, version string) []reference {
	locator := "pkg:golang/" + strings.ToLower(path)
	if version != "" && version != "(devel)" {
		locator += "@" + strings.ReplaceAll(version, "+", "%2B")
	}
	return []reference{{Category: "PACKAGE-MANAGER", Type: "purl", Locator: locator}}
}
