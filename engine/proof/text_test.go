package proof_test

import (
	"strings"
	"testing"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// hostile are texts that Kyverno or JMESPath would evaluate, or fail at.
func hostile() []string {
	return []string{
		"{{ request.object.metadata.name }}", "{{request.userInfo.username}}", "{{{request.object}}", "x{{ nothing.such }}", "{{-request.object.metadata.name-}}",
		`\{{ request.object.metadata.name }}`, "{{ join('", "}}", "{{", "$(./../../spec)", `\$(x)`, "a', `[]`) }}", "`", "$0 ${1}", "%s",
	}
}

// texted are objects that a control refuses for a text of the user, by control.
func texted(text string) map[string]object {
	pod := func(spec object) object {
		return object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": "victim", "namespace": "shop"}, "spec": spec}
	}
	container := func(fields object) object {
		fields["name"] = "a"
		return pod(object{"containers": []any{fields}})
	}
	role := func(rule object) object {
		return object{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": object{"name": "victim", "namespace": "shop"}, "rules": []any{rule}}
	}
	ingress := func(rule object) object {
		return object{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": object{"name": "victim", "namespace": "shop"}, "spec": object{"rules": []any{rule}}}
	}
	return map[string]object{
		"disallow-latest-tag":            container(object{"image": text + ":latest"}),
		"require-image-digest":           container(object{"image": text}),
		"restrict-image-registries":      pod(object{"volumes": []any{object{"name": "a", "image": object{"reference": text}}}}),
		"disallow-host-path":             pod(object{"volumes": []any{object{"name": "a", "hostPath": object{"path": text}}}}),
		"disallow-cri-sock-mount":        pod(object{"volumes": []any{object{"name": "a", "hostPath": object{"path": "/x/" + text + "/../../run"}}}}),
		"disallow-capabilities":          container(object{"securityContext": object{"capabilities": object{"add": []any{text}}}}),
		"disallow-selinux":               container(object{"securityContext": object{"seLinuxOptions": object{"role": text}}}),
		"disallow-host-probes":           container(object{"livenessProbe": object{"httpGet": object{"host": text}}}),
		"disallow-secrets-from-env-vars": container(object{"env": []any{object{"name": text, "valueFrom": object{"secretKeyRef": object{"name": "s", "key": "k"}}}}}),
		"restrict-sysctls":               pod(object{"securityContext": object{"sysctls": []any{object{"name": "kernel.x", "value": text}}}}),
		"disallow-privileged-containers": pod(object{"containers": []any{object{"name": text, "securityContext": object{"privileged": true}}}}),
		"restrict-wildcard-verbs":        role(object{"apiGroups": []any{""}, "resources": []any{text}, "verbs": []any{"*"}}),
		"restrict-wildcard-resources":    role(object{"apiGroups": []any{""}, "resources": []any{"*"}, "verbs": []any{"get"}, "resourceNames": []any{text}}),
		"disallow-empty-ingress-host":    ingress(object{"http": object{"paths": []any{object{"path": text}}}}),
		"restrict-ingress-wildcard":      ingress(object{"host": "*." + text}),
		"restrict-binding-clusteradmin": {
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": object{"name": "victim"},
			"roleRef": object{"kind": "ClusterRole", "name": "cluster-admin"}, "subjects": []any{object{"kind": "User", "name": text}},
		},
	}
}

// TestText: what users write is refused as it is, and appears in the message as it is.
func TestText(t *testing.T) {
	bundle := compile(t, switchedOn(builtin(t)), nil)
	k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
	for _, text := range hostile() {
		for control, o := range texted(text) {
			got := k.ask(t, in("apps", only(control, protocol.EvaluateParams{Resource: encode(t, o)})))
			if message := messages(got); !got.Blocked || !strings.Contains(message, text) || strings.Contains(message, "victim") {
				t.Errorf("%s, %q: refused %v: %s: %s", control, text, got.Blocked, verdict(got), message)
			}
		}
	}
}

// spellings are names of images that are pulled from ghcr.io/acme or docker.io/library, or
// look as if, in other words than the entries of the allowed registries.
func spellings() []string {
	return []string{
		"ghcr.io:443/acme/x:v1", "ghcr.io:0443/acme/x:v1", "GHCR.IO/acme/x:v1", "Ghcr.io/acme/x:v1", "ghcr.io./acme/x:v1", "https://ghcr.io/acme/x:v1", "//ghcr.io/acme/x:v1",
		"ghcr.io//acme/x:v1", "ghcr.io/acme//x:v1", "ghcr.io/acme/../evil/x:v1", "ghcr.io/acme/./x:v1", "ghcr.io/ACME/x:v1", "user:pw@ghcr.io/acme/x:v1", "ghcr.io/acme%2fx:v1", "ghcr.io/acmeevil/x:v1",
		" ghcr.io/acme/x:v1", "ghcr.io/acme/x:v1 ", "ghcr.io/acme/x:v1\n", "ghcr.io/acme/x:v1\nevil.example/x", "ghcr.io\\acme/x:v1", "[::1]/acme/x:v1", "ghcr.io/acme/x@evil.example/y", "acme/x:v1", "oci://ghcr.io/acme/x:v1",
		"docker.io:443/library/nginx:1", "DOCKER.IO/library/nginx:1", "index.docker.io:443/library/nginx:1", "registry-1.docker.io/library/nginx:1", "registry.hub.docker.com/library/nginx:1", "docker.io/nginx/evil:1", "Nginx:1",
	}
}

// TestSpellings: a control that restricts registries admits one spelling of each place, so
// that no other one gets around the image rules.
func TestSpellings(t *testing.T) {
	spec := object{"registries": object{"allowed": []any{"ghcr.io/acme", "docker.io/library"}}, "controls": object{"restrict-image-registries": object{}}}
	bundle := compile(t, spec, nil)
	k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
	refused := func(image string) bool {
		spec := object{"containers": []any{object{"name": "a", "image": image}}}
		o := object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": "p", "namespace": "shop"}, "spec": spec}
		return k.ask(t, in("apps", protocol.EvaluateParams{Resource: encode(t, o)})).Blocked
	}
	for _, image := range spellings() {
		if !refused(image) {
			t.Errorf("%q is admitted", image)
		}
	}
	for _, image := range []string{"ghcr.io/acme/x:v1", "ghcr.io/acme/team/x", "nginx", "docker.io/nginx:1", "docker.io/library/nginx", "index.docker.io/library/nginx:1"} {
		if refused(image) {
			t.Errorf("%q is refused", image)
		}
	}
}

// TestWhoeverMadeIt: a Pod is judged alike whoever it belongs to, also a controller that
// Kyverno derives no rules for, and objects that no controller reads (PodTemplate).
func TestWhoeverMadeIt(t *testing.T) {
	k, controls := podControls(t)
	for _, c := range controls {
		if _, other := byObject()[c.ID]; other {
			continue
		}
		for _, owner := range []object{
			{"apiVersion": "example.com/v1", "kind": "Workload", "name": "w", "uid": "u", "controller": true},
			{"apiVersion": "v1", "kind": "PodTemplate", "name": "w", "uid": "u", "controller": true},
		} {
			for _, bad := range plainPods(c.bad) {
				owned := edited(t, bad, func(o object) { metadataOf(o)["ownerReferences"] = []any{owner} })
				if !k.refuses(t, c.ID, owned) {
					t.Errorf("%s: %s of a %s is admitted", c.ID, bad.Name, owner["kind"])
				}
			}
		}
	}
}
