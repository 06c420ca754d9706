package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// The flags of Kyverno's controllers that decide whether exceptions count
// (Kyverno 1.19.1: cmd/internal/flag.go, both off by default).
const (
	exceptionFlag          = "--enablePolicyException"
	exceptionNamespaceFlag = "--exceptionNamespace"
)

// Kyverno is what the policies need of the Kyverno in a cluster.
type Kyverno struct {
	// Absent is set if the policies need none.
	Absent bool
	// Version is the minor version that the policies are for.
	Version string
	// SystemNamespaces are left out of its webhooks.
	SystemNamespaces []string
	// ExceptionNamespace is the only namespace whose exceptions count.
	ExceptionNamespace string
	// Release is apiVersion, kind, namespace and name of the HelmRelease that
	// installs it; nil where the repository does not.
	Release manifest.Object
}

// findKyverno returns the Deployment that answers Kyverno's webhooks, by the
// labels that the chart gives it, in any namespace; nil if there is none.
func findKyverno(ctx context.Context, c *kube.Client) (manifest.Object, error) {
	found, err := c.List(ctx, "apps/v1", "Deployment", "", "app.kubernetes.io/component=admission-controller")
	if err != nil {
		return nil, err
	}
	for _, d := range found {
		if strings.Contains(kyvernoContainer(d).String("image"), "kyverno") {
			return d, nil
		}
	}
	return nil, nil
}

// kyvernoContainer returns the container that serves, by the name that the chart gives it.
func kyvernoContainer(deployment manifest.Object) manifest.Object {
	for _, c := range deployment.Maps("spec", "template", "spec", "containers") {
		if c["name"] == "kyverno" {
			return c
		}
	}
	return nil
}

// checkKyverno checks a Kyverno that gatehouse did not install: the safety of the
// policies depends on its configuration (docs/safety.md#kyverno-down).
func (b *Bootstrap) checkKyverno(ctx context.Context, c *checks) {
	deployment, err := findKyverno(ctx, b.Client)
	if err != nil {
		c.wrong("", "Kyverno: %v", err)
		return
	}
	if deployment == nil {
		c.wrong("install it with the values in README.md, or set spec.kyverno.install to helm and build again", "Kyverno: none is installed")
		return
	}
	container := kyvernoContainer(deployment)
	b.Target.Kyverno.checkVersion(c, container.String("image"))
	b.Target.Kyverno.checkExceptions(c, container)
	b.Target.Kyverno.checkWebhooks(ctx, c, deployment)
}

// checkNoKyverno refuses a second Kyverno: before the release of the repository exists,
// one that runs is from others.
func (b *Bootstrap) checkNoKyverno(ctx context.Context, c *checks) {
	release := b.Target.Kyverno.Release
	if _, err := c.client.Get(ctx, release.APIVersion(), release.Kind(), release.Namespace(), release.Name()); err == nil || !kube.IsAbsent(err) {
		c.ok("Kyverno is installed by the repository")
		return
	}
	switch other, err := findKyverno(ctx, b.Client); {
	case err != nil && !kube.IsAbsent(err):
		c.wrong("", "Kyverno: %v", err)
	case other != nil:
		c.wrong("set spec.kyverno.install to none, in spec.overrides of the environment if only its clusters have one, and build again", "Kyverno is there already (%s), and the repository would install another", display(other))
	default:
		c.ok("Kyverno is installed by the repository")
	}
}

func (k Kyverno) checkVersion(c *checks, image string) {
	name, _, _ := strings.Cut(image, "@")
	tag := name[strings.LastIndexByte(name, ':')+1:]
	switch {
	case strings.HasPrefix(tag, "v"+k.Version+"."):
		c.ok("Kyverno %s", tag)
	case strings.Contains(tag, "/"): // no tag: the colon, if any, is of a port
		c.warn("", "Kyverno: the image %s does not name its version", image)
	default:
		c.wrong("run "+k.Version+" there, or set spec.kyverno.version to what runs and build again", "Kyverno is %s; the policies are for %s", tag, k.Version)
	}
}

// checkExceptions checks where exceptions count. If they count nowhere, exempt
// workloads are blocked; if they count in every namespace, a tenant can exempt itself.
func (k Kyverno) checkExceptions(c *checks, container manifest.Object) {
	flags := map[string]string{}
	for _, arg := range container.List("args") {
		key, value, found := strings.Cut(fmt.Sprint(arg), "=")
		if !found {
			value = "true"
		}
		flags[key] = value
	}
	want := "set the chart's features.policyExceptions: {enabled: true, namespace: " + k.ExceptionNamespace + "}"
	switch namespace := flags[exceptionNamespaceFlag]; {
	case flags[exceptionFlag] != "true":
		c.wrong(want, "Kyverno: exceptions do not count (%s is not true)", exceptionFlag)
	case namespace == "*":
		c.wrong(want, "Kyverno: exceptions count in every namespace, so that a tenant can exempt itself")
	case namespace != k.ExceptionNamespace:
		c.wrong(want, "Kyverno: exceptions count in the namespace %q, not in %q", namespace, k.ExceptionNamespace)
	default:
		c.ok("Kyverno: exceptions count in %s only", namespace)
	}
}

// checkWebhooks checks that the API server does not call Kyverno for the namespaces
// that the cluster needs to start.
func (k Kyverno) checkWebhooks(ctx context.Context, c *checks, deployment manifest.Object) {
	name := initConfig(kyvernoContainer(deployment))
	config, err := c.client.Get(ctx, "v1", "ConfigMap", deployment.Namespace(), name)
	if err != nil {
		c.wrong("", "Kyverno: reading its ConfigMap %s/%s: %v", deployment.Namespace(), name, err)
		return
	}
	excluded, err := excludedNamespaces(config.String("data", "webhooks"))
	if err != nil {
		c.wrong("", "Kyverno: reading webhooks in the ConfigMap %s/%s: %v", deployment.Namespace(), name, err)
		return
	}
	var missing []string
	for _, namespace := range append([]string{deployment.Namespace()}, k.SystemNamespaces...) {
		if !slices.Contains(excluded, namespace) && !slices.Contains(missing, namespace) {
			missing = append(missing, namespace)
		}
	}
	if len(missing) > 0 {
		c.wrong("set the chart's config.webhooks to the value in README.md",
			"Kyverno: its webhooks are called for %s: with Kyverno down the cluster could not start again", strings.Join(missing, ", "))
		return
	}
	c.ok("Kyverno: its webhooks leave out the system namespaces")
}

// initConfig returns the name of the ConfigMap that Kyverno reads.
func initConfig(container manifest.Object) string {
	for _, e := range container.Maps("env") {
		if e["name"] == "INIT_CONFIG" && e.String("value") != "" {
			return e.String("value")
		}
	}
	return "kyverno"
}

// excludedNamespaces returns the namespaces that the namespaceSelector in Kyverno's
// setting webhooks certainly excludes.
func excludedNamespaces(webhooks string) ([]string, error) {
	if webhooks == "" {
		return nil, nil
	}
	var config struct {
		NamespaceSelector struct {
			MatchExpressions []struct {
				Key, Operator string
				Values        []string
			}
		}
	}
	if err := json.Unmarshal([]byte(webhooks), &config); err != nil {
		return nil, err
	}
	var excluded []string
	for _, e := range config.NamespaceSelector.MatchExpressions {
		if e.Key == "kubernetes.io/metadata.name" && e.Operator == "NotIn" {
			excluded = append(excluded, e.Values...)
		}
	}
	return excluded, nil
}
