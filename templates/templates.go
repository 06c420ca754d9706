// Package templates carries the built-in catalogue: one folder per control
// under controls, in the format that package generator/catalog reads.
package templates

import (
	"embed"
	"io/fs"
)

//go:embed all:controls
var controls embed.FS

// FS returns the built-in catalogue; its controls are the folders under "controls".
func FS() fs.FS { return controls }
