//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

func object(apiVersion, kind, namespace, name string, spec map[string]any) manifest.Object {
	metadata := map[string]any{"name": name}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	o := manifest.Object{"apiVersion": apiVersion, "kind": kind, "metadata": metadata}
	if spec != nil {
		o["spec"] = spec
	}
	return o
}

// Namespaces of the Pods.
const (
	judged = "shop"
	exempt = "kube-system"
)

// deployer applies the policies.
const deployer = "system:serviceaccount:flux-system:kustomize-controller"

// admitter asks an API server.
type admitter struct {
	// client asks, deployer applies.
	client, deployer *kube.Client
}

func newAdmitter(ctx context.Context, client *kube.Client) (*admitter, error) {
	as, err := client.As(deployer, "system:masters") // who may change what is guarded
	if err != nil {
		return nil, err
	}
	a := &admitter{client: client.DryRun(), deployer: as}
	binding := object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", "bench", nil)
	binding["roleRef"] = map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
	binding["subjects"] = []any{map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": deployer}}
	objects := []manifest.Object{binding}
	for _, name := range []string{judged, "policy-exceptions"} {
		namespace := object("v1", "Namespace", "", name, nil)
		namespace.Metadata()["labels"] = map[string]any{"gatehouse.dev/tier": "apps"}
		objects = append(objects, namespace)
	}
	for _, o := range objects {
		if _, err := client.Apply(ctx, o, "bench"); err != nil {
			return nil, err
		}
	}
	return a, until(ctx, "the service accounts", func() error {
		_, err := a.ask(ctx, exempt, false)
		return errors.Join(err, ignore(a.ask(ctx, judged, false)))
	})
}

func ignore(_ time.Duration, err error) error { return err }

// measure applies a bundle, measures requests, and removes it again.
func (a *admitter) measure(ctx context.Context, b *bundle) (err error) {
	begin := time.Now()
	for _, o := range b.objects {
		if _, err := a.deployer.Apply(ctx, o, "bench"); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, a.remove(ctx, b.objects)) }()
	if err := until(ctx, "a bad Pod to be refused", func() error {
		_, err := a.ask(ctx, judged, true)
		if err == nil {
			return errors.New("it is admitted")
		}
		if strings.Contains(err.Error(), "denied") {
			return nil
		}
		return err
	}); err != nil {
		return err
	}
	if err := a.ready(ctx, b.objects); err != nil {
		return err
	}
	b.ready = append(b.ready, time.Since(begin))
	if err := pause(ctx, settling); err != nil {
		return err
	}
	var with, without []time.Duration
	for range asked {
		for namespace, walls := range map[string]*[]time.Duration{judged: &with, exempt: &without} {
			wall, err := a.ask(ctx, namespace, false)
			if err != nil {
				return err
			}
			*walls = append(*walls, wall)
		}
	}
	b.overhead, b.unjudged = append(b.overhead, median(with)-median(without)), append(b.unjudged, median(without))
	return nil
}

// ready waits until every policy is reported as in force.
func (a *admitter) ready(ctx context.Context, objects []manifest.Object) error {
	return until(ctx, "the policies", func() error {
		for _, o := range objects {
			kind, _ := kinds.Find(o.Group(), o.Kind())
			if kind.InForce == kinds.NotPolicy {
				continue
			}
			live, err := a.client.Get(ctx, o.APIVersion(), o.Kind(), "", o.Name())
			if err != nil {
				return err
			}
			if !inForce(kind, live) {
				return fmt.Errorf("%s %s is not ready", o.Kind(), o.Name())
			}
		}
		return nil
	})
}

// inForce reports whether an object says so of itself.
func inForce(kind kinds.Kind, o manifest.Object) bool {
	switch kind.InForce {
	case kinds.ReadyCondition:
		return o.Condition("Ready").String("status") == "True"
	case kinds.ReadyStatus:
		return o.Value("status", "conditionStatus", "ready") == true
	default:
		return o.Value("status", "observedGeneration") != nil && o.Value("status", "observedGeneration") == o.Value("metadata", "generation")
	}
}

func (a *admitter) remove(ctx context.Context, objects []manifest.Object) error {
	for _, o := range objects {
		if err := a.deployer.Delete(ctx, o); err != nil {
			return err
		}
	}
	return until(ctx, "a bad Pod to be admitted", func() error { return ignore(a.ask(ctx, judged, true)) })
}

// ask creates a Pod, without storing it. A bad one is privileged.
func (a *admitter) ask(ctx context.Context, namespace string, bad bool) (time.Duration, error) {
	pod := object("v1", "Pod", namespace, "web", map[string]any{
		"automountServiceAccountToken": false,
		"securityContext":              map[string]any{"runAsNonRoot": true, "runAsUser": 10001, "seccompProfile": map[string]any{"type": "RuntimeDefault"}},
		"containers": []any{map[string]any{
			"name": "web", "image": "registry.k8s.io/pause:3.10",
			"securityContext": map[string]any{"privileged": bad, "allowPrivilegeEscalation": bad, "capabilities": map[string]any{"drop": []any{"ALL"}}},
		}},
	})
	begin := time.Now()
	_, err := a.client.Create(ctx, pod)
	return time.Since(begin), err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// until polls for up to two minutes.
func until(ctx context.Context, what string, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		err := f()
		if err == nil {
			return nil
		}
		if pause(ctx, 200*time.Millisecond) != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
	}
}
