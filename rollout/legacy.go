package rollout

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

// maxLegacy is how many objects of the past are named.
const maxLegacy = 20

// checkLegacy refuses a cluster that has objects, of the repository or of others, that the
// Kyverno of the repository no longer executes: what they refused is admitted. The chart of
// that Kyverno refuses to be installed beside them, too.
func (b *Bootstrap) checkLegacy(ctx context.Context, c *checks) {
	k := b.Target.Kyverno
	if k.Absent || k.Version != v1alpha1.KyvernoNext {
		return
	}
	var left []string
	for _, kind := range kinds.Legacy() {
		for _, o := range c.listed(ctx, kind.APIVersion(), kind.Kind) {
			left = append(left, strings.TrimSpace(display(o)))
		}
	}
	if len(left) == 0 {
		c.ok("Kyverno: the cluster has nothing that %s no longer executes", k.Version)
		return
	}
	more := ""
	if len(left) > maxLegacy {
		more = fmt.Sprintf(" and %d more", len(left)-maxLegacy)
		left = left[:maxLegacy]
	}
	c.wrong("replace them by policies in CEL while Kyverno "+v1alpha1.KyvernoVersion+" runs, and delete them; those of gatehouse go in the steps of docs/policy-types.md",
		"Kyverno: the cluster has what %s no longer executes: %s%s", k.Version, strings.Join(left, ", "), more)
}
