//go:build (!windows && !unix) || aix || solaris

package output

import "os"

// hold reports true: this system cannot hold a folder.
func hold(*os.File) (release func(), held bool) { return func() {}, true }
