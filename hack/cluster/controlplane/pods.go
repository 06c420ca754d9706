package controlplane

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// markPods stands in for the kubelet of Kyverno's and Flux's Pods: until ctx is done, it
// marks each Pod as ready or not, like the process that stands for it. All other Pods are
// left as they are.
func (c *ControlPlane) markPods(ctx context.Context) {
	for {
		// If the API server is down or the namespace does not exist yet, try again.
		_ = c.markPodsOnce(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func (c *ControlPlane) markPodsOnce(ctx context.Context) error {
	pods, err := c.admin.List(ctx, "v1", "Pod", "", "app.kubernetes.io/part-of in (kyverno, flux)")
	if err != nil {
		return err
	}
	for _, pod := range pods {
		process, ok := processOf(pod)
		if !ok {
			continue
		}
		status := "True"
		if err := c.Ready(ctx, process); err != nil && process != HelmController { // without it, the caller of InstallKyverno stands in
			status = "False"
		}
		if pod.Condition("Ready").String("status") == status {
			continue
		}
		if _, err := c.admin.Patch(ctx, pod, "status", podStatus(status)); err != nil {
			return fmt.Errorf("marking %s: %w", pod.Name(), err)
		}
	}
	return nil
}

// processOf returns the name of the process that stands for a Pod, if there is one.
func processOf(pod manifest.Object) (name string, ok bool) {
	component, ok := pod.Value("metadata", "labels", componentLabel).(string)
	switch pod.Namespace() {
	case "kyverno":
		return "kyverno-" + component, ok
	case fluxNamespace:
		return component, ok
	}
	return "", false
}

func podStatus(ready string) manifest.Object {
	now := time.Now().UTC().Format(time.RFC3339)
	condition := func(name string) any {
		return map[string]any{"type": name, "status": ready, "lastTransitionTime": now}
	}
	return manifest.Object{"status": map[string]any{
		"phase": "Running", "conditions": []any{condition("Ready"), condition("ContainersReady")},
	}}
}
