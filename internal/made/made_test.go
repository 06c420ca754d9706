package made_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/made"
	"github.com/gatehouse-dev/gatehouse/internal/made/arrival"
)

// TestFrom asks the oracle about everything that is made for short and long names.
func TestFrom(t *testing.T) {
	for kind, longest := range map[string]int{
		"Deployment": 240, "ReplicaSet": 253, "ReplicationController": 253, "DaemonSet": 253, "StatefulSet": 61, "Job": 61, "CronJob": 52, "Service": 63,
	} {
		for _, name := range []string{"a", "app", "web.shop", strings.Repeat("x", 50), strings.Repeat("y", min(longest, 58)), strings.Repeat("z", longest)} {
			all := made.From(kind, name[:min(len(name), longest)])
			if (len(all) == 0) != (kind == "Service") {
				t.Errorf("%s: %d objects", kind, len(all))
			}
			for _, s := range all {
				metadata := s.Metadata("tools", nil, nil)
				if err := arrival.Check(s.Kind, metadata, s.User); err != nil {
					t.Errorf("%s %s: %s: %v", kind, name, s.What, err)
				}
			}
		}
	}
}

// TestNames compares names with such as the controllers made in a cluster of 1.36.
func TestNames(t *testing.T) {
	long := strings.Repeat("x", 58)
	for _, tt := range []struct{ got, want string }{
		{made.From("Job", "data-warehouse-nightly-customer-segmentation-training-job1")[1].Stored(), "data-warehouse-nightly-customer-segmentation-training-j-3-x7k2p"},
		{made.From("DaemonSet", long)[0].Stored(), long + "x7k2p"},
		{made.From("StatefulSet", "db")[0].Stored(), "db-0"},
		{made.From("CronJob", "nightly")[0].Stored(), "nightly-29917440"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}
