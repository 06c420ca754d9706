package proof_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"kubernetes.upstream/pod-security-admission/policy"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// standard is a level of the Pod Security Standards as the API server's own admission has
// it, and a profile that is to mean the same.
type standard struct {
	level api.Level
	spec  object
	// stricter are the only differences: what the level allows and the profile refuses.
	stricter []stricter
}

// stricter is a Pod that a level allows and a control refuses.
type stricter struct {
	reason   string
	controls []string
	when     func(*corev1.Pod) bool
}

func standards() []standard {
	userNamespace := func(p *corev1.Pod) bool { return p.Spec.HostUsers != nil && !*p.Spec.HostUsers }
	windows := func(p *corev1.Pod) bool { return p.Spec.OS != nil && p.Spec.OS.Name == corev1.Windows }
	procMount := stricter{
		"a profile must ask for the relaxation (allowInUserNamespaces), which exists from Kubernetes 1.35 on",
		[]string{"disallow-proc-mount"}, userNamespace,
	}
	return []standard{
		{api.LevelBaseline, object{"extends": []any{"baseline"}}, []stricter{procMount}},
		{
			api.LevelBaseline, object{"extends": []any{"baseline"}, "controls": object{
				"disallow-proc-mount": object{"parameters": object{"allowInUserNamespaces": true}},
			}}, nil,
		},
		{api.LevelRestricted, object{"extends": []any{"restricted"}}, []stricter{
			{
				"root is refused also in a user namespace, as by every level before Kubernetes 1.35",
				[]string{"require-run-as-nonroot", "require-run-as-non-root-user"}, userNamespace,
			},
			{
				"the controls of baseline stay on, which restricted leaves out on Windows, where the API server refuses these fields",
				[]string{"disallow-capabilities", "restrict-seccomp"}, windows,
			},
		}},
	}
}

// checksOf names the checks of the library that each control stands for.
func checksOf() map[string][]policy.CheckID {
	return map[string][]policy.CheckID{
		"disallow-capabilities":          {"capabilities_baseline"},
		"disallow-capabilities-strict":   {"capabilities_restricted"},
		"disallow-host-namespaces":       {"hostNamespaces"},
		"disallow-host-path":             {"hostPathVolumes"},
		"disallow-host-ports":            {"hostPorts"},
		"disallow-host-probes":           {"hostProbesAndHostLifecycle"},
		"disallow-host-process":          {"windowsHostProcess"},
		"disallow-privilege-escalation":  {"allowPrivilegeEscalation"},
		"disallow-privileged-containers": {"privileged"},
		"disallow-proc-mount":            {"procMount", "procMount_restricted"},
		"disallow-selinux":               {"seLinuxOptions"},
		"require-run-as-nonroot":         {"runAsNonRoot"},
		"require-run-as-non-root-user":   {"runAsUser"},
		"restrict-apparmor-profiles":     {"appArmorProfile"},
		"restrict-seccomp":               {"seccompProfile_baseline"},
		"restrict-seccomp-strict":        {"seccompProfile_restricted"},
		"restrict-sysctls":               {"sysctls"},
		"restrict-volume-types":          {"restrictedVolumes"},
	}
}

// oracle is the library that judges in the API server.
type oracle struct {
	policy.Evaluator
	checks []policy.Check
}

func newOracle(t *testing.T) oracle {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return oracle{evaluator, policy.DefaultChecks()}
}

// latest returns the newest version of the checks that make up a level, by name: restricted
// has its own in the place of some of baseline, which are overridden.
func (o oracle) latest(level api.Level) (in, overridden map[policy.CheckID]policy.CheckPodFn) {
	in, overridden = map[policy.CheckID]policy.CheckPodFn{}, map[policy.CheckID]policy.CheckPodFn{}
	var over []policy.CheckID
	for _, c := range o.checks {
		if c.Level == level || c.Level == api.LevelBaseline {
			newest := c.Versions[len(c.Versions)-1]
			in[c.ID] = newest.CheckPod
			over = append(over, newest.OverrideCheckIDs...)
		}
	}
	for _, id := range over {
		if in[id] != nil {
			overridden[id] = in[id]
			delete(in, id)
		}
	}
	return in, overridden
}

// TestPodSecurityStandards asks the library of the API server's own admission plugin, and
// policies of each kind, about random Pods: the profiles baseline and restricted refuse
// what the level refuses, control by control, and nothing else but what is listed.
func TestPodSecurityStandards(t *testing.T) {
	random := podSecurityPods{rand.New(rand.NewPCG(seedOf(t), 3))}
	library := newOracle(t)
	for i, s := range standards() {
		t.Run(fmt.Sprint(i, "-", s.level), func(t *testing.T) {
			compareLevel(t, s, library, random)
		})
	}
}

func compareLevel(t *testing.T, s standard, library oracle, random podSecurityPods) {
	clusters := map[string]cluster{}
	for _, target := range catalog.Targets() {
		spec := clone(t, s.spec)
		spec["kyverno"] = object{"policyType": target}
		bundle := compile(t, spec, nil)
		clusters[target] = newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
	}
	checks, overridden := library.latest(s.level)
	alone, used := map[policy.CheckID]int{}, make([]int, len(s.stricter))
	allowed, asked := 0, 0
	for range *randomObjects {
		one, pod := random.next(t)
		var refusing []policy.CheckID
		for _, id := range slices.Sorted(maps.Keys(checks)) {
			if !checks[id](&pod.ObjectMeta, &pod.Spec).Allowed {
				refusing = append(refusing, id)
			}
		}
		whole := policy.AggregateCheckResults(library.EvaluatePod(api.LevelVersion{Level: s.level, Version: api.LatestVersion()}, &pod.ObjectMeta, &pod.Spec))
		if whole.Allowed != (len(refusing) == 0) {
			t.Fatalf("the checks %v refuse, and the level says %v", refusing, whole.ForbiddenReasons)
		}
		asked++
		if len(refusing) == 0 {
			allowed++
		}
		if len(refusing) == 1 {
			alone[refusing[0]]++
		}
		for _, target := range catalog.Targets() {
			got := clusters[target].ask(t, in("apps", requestOf(t, one)))
			for _, problem := range s.differences(refusing, overridden, got, pod, used) {
				t.Errorf("%s: %s: %s\n%s", target, one.Kind.Kind, problem, encode(t, one.Object))
			}
		}
		if t.Failed() {
			break // one is enough to look at
		}
	}
	t.Logf("%d Pods, %d of them allowed; refused by one check alone: %v", asked, allowed, alone)
	if asked < 2000 {
		return // some faults are rare
	}
	for _, id := range slices.Sorted(maps.Keys(checks)) {
		if alone[id] == 0 {
			t.Errorf("no Pod is refused by %s alone", id)
		}
	}
	for i, d := range s.stricter {
		if used[i] == 0 {
			t.Errorf("no Pod shows the difference: %s", d.reason)
		}
	}
}

// differences compares what the level refuses with what the policies say, and counts the
// known differences that it meets.
func (s standard) differences(refusing []policy.CheckID, overridden map[policy.CheckID]policy.CheckPodFn, got protocol.EvaluateResult, pod *corev1.Pod, used []int) []string {
	var problems []string
	fails := map[string]bool{}
	for _, r := range got.Results {
		if r.Result == protocol.OutcomeError || r.Result == protocol.OutcomeFail && !r.Blocks {
			problems = append(problems, fmt.Sprintf("%s/%s: %s %s", r.Policy, r.Rule, r.Result, r.Message))
		}
		if r.Result == protocol.OutcomeFail {
			fails[r.Policy] = true
		}
	}
	controls := checksOf()
	for _, control := range sortedKeys(controls) {
		failed, refused, over := fails[control], false, false
		delete(fails, control)
		for _, id := range controls[control] {
			refused = refused || slices.Contains(refusing, id)
			over = over || overridden[id] != nil && !overridden[id](&pod.ObjectMeta, &pod.Spec).Allowed
		}
		switch {
		case over && failed && len(refusing) > 0: // it is refused in any case
		case refused && !failed:
			problems = append(problems, fmt.Sprintf("the level refuses by %v, and %s does not", controls[control], control))
		case !refused && failed && !s.known(control, pod, used):
			problems = append(problems, fmt.Sprintf("%s refuses, and the level allows", control))
		}
	}
	for other := range fails {
		problems = append(problems, other+" refuses, and is not part of the level")
	}
	return problems
}

// known reports whether a difference is listed, and counts it.
func (s standard) known(control string, pod *corev1.Pod, used []int) bool {
	for i, d := range s.stricter {
		if slices.Contains(d.controls, control) && d.when(pod) {
			used[i]++
			return true
		}
	}
	return false
}

// podSecurityPods makes Pods of which some fields differ from those of a good one.
type podSecurityPods struct{ *rand.Rand }

// next returns a Pod, in a template or bare or as one to which containers are added, and
// the Pod as the library takes it.
func (r podSecurityPods) next(t *testing.T) (catalog.Case, *corev1.Pod) {
	t.Helper()
	o := r.pod()
	for range r.IntN(4) {
		r.change(o)
	}
	one := catalog.Case{
		Kind: catalog.GroupVersionKind{Version: "v1", Kind: "Pod"}, Namespace: "shop", Operation: "CREATE", Object: o,
	}
	pod := &corev1.Pod{}
	if err := json.Unmarshal(encode(t, o), pod); err != nil {
		t.Fatal(err)
	}
	spec := o["spec"].(object)
	_, more := spec["ephemeralContainers"]
	switch kinds := sortedKeys(controllers()); {
	case more: // they can only be added, to a Pod that runs
		one.SubResource, one.Operation, one.OldObject = "ephemeralcontainers", "UPDATE", r.good()
	case r.IntN(2) == 0:
		one = wrapped(t, one, kinds[r.IntN(len(kinds))])
	}
	return one, pod
}

// good returns a Pod that every level allows. A nil is a field that is null.
func (r podSecurityPods) good() object {
	return object{
		"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": "p", "namespace": "shop"},
		"spec": object{
			"securityContext": object{"runAsNonRoot": true, "seccompProfile": object{"type": "RuntimeDefault"}},
			"containers":      []any{r.container("main")},
		},
	}
}

func (r podSecurityPods) container(name string) object {
	return object{"name": name, "image": "a", "securityContext": object{
		"allowPrivilegeEscalation": false, "capabilities": object{"drop": []any{"ALL"}},
	}}
}

// pod returns a good Pod, with more containers or without what only restricted asks for.
func (r podSecurityPods) pod() object {
	o := r.good()
	spec := o["spec"].(object)
	for _, list := range []string{"initContainers", "containers", "ephemeralContainers"} {
		if r.IntN(4) == 0 {
			before, _ := spec[list].([]any)
			spec[list] = append(before, r.container(strings.ToLower(list)))
		}
	}
	if r.IntN(3) == 0 {
		spec["hostUsers"] = r.one(false, false, true, nil)
	}
	if r.IntN(6) == 0 {
		spec["os"] = r.one(object{"name": "windows"}, object{"name": "windows"}, object{"name": "linux"}, object{}, nil)
	}
	if r.IntN(8) == 0 {
		r.drop(spec)
	}
	return o
}

// drop removes a security context.
func (r podSecurityPods) drop(spec object) {
	if r.IntN(2) == 0 {
		delete(spec, "securityContext")
		return
	}
	c := r.anyContainer(spec)
	c["securityContext"] = r.one(object{}, nil)
}

func (r podSecurityPods) anyContainer(spec object) object {
	var all []any
	for _, list := range containerKinds() {
		some, _ := spec[list].([]any)
		all = append(all, some...)
	}
	return all[r.IntN(len(all))].(object)
}

// change sets a field that the library looks at, of the Pod or of a container.
func (r podSecurityPods) change(o object) {
	spec := o["spec"].(object)
	switch r.IntN(8) {
	case 0:
		o["metadata"].(object)["annotations"] = r.annotations(spec)
	case 1:
		spec[r.text("hostNetwork", "hostPID", "hostIPC")] = r.one(true, true, false, nil)
	case 2:
		spec["volumes"] = r.volumes()
	case 3:
		if r.IntN(3) == 0 {
			contextOf(spec)["sysctls"] = r.sysctls()
			return
		}
		r.setContext(contextOf(spec))
	case 4:
		c := r.anyContainer(spec)
		c["ports"] = r.one(
			nil, []any{}, []any{object{"containerPort": 80}}, []any{object{"containerPort": 80, "hostPort": 0}},
			[]any{object{"containerPort": 80}, object{"containerPort": 81, "hostPort": 81}},
		)
	case 5:
		r.setHandler(r.anyContainer(spec))
	case 6:
		r.setContext(contextOf(r.anyContainer(spec)))
	case 7:
		r.setContainerContext(contextOf(r.anyContainer(spec)))
	}
}

// contextOf returns the security context of a Pod or a container, which gets one if it has none.
func contextOf(of object) object {
	c, _ := of["securityContext"].(object)
	if c == nil {
		c = object{}
		of["securityContext"] = c
	}
	return c
}

func (r podSecurityPods) one(values ...any) any { return values[r.IntN(len(values))] }

func (r podSecurityPods) text(values ...string) string { return values[r.IntN(len(values))] }

// setContext sets what Pods and containers have.
func (r podSecurityPods) setContext(c object) {
	profile := func() any {
		return r.one(nil, object{}, object{"type": ""}, object{"type": "RuntimeDefault"}, object{"type": "Unconfined"},
			object{"type": "Localhost", "localhostProfile": "a"}, object{"type": "runtimedefault"}, object{"type": nil})
	}
	switch r.IntN(6) {
	case 0:
		c["runAsNonRoot"] = r.one(true, false, false, nil)
	case 1:
		c["runAsUser"] = r.one(0, 0, 1, 65534, nil)
	case 2:
		c["seccompProfile"] = profile()
	case 3:
		c["appArmorProfile"] = profile()
	case 4:
		c["seLinuxOptions"] = r.one(nil, object{}, object{"level": "s0"}, object{"type": ""}, object{"user": ""}, object{"user": "u"}, object{"role": "r"},
			object{"type": "spc_t"}, object{"type": "container_t"}, object{"type": "container_init_t"}, object{"type": "container_kvm_t"},
			object{"type": "container_engine_t"}, object{"type": "container_t", "user": "u"}, object{"type": "Container_t"})
	case 5:
		c["windowsOptions"] = r.one(nil, object{}, object{"hostProcess": true}, object{"hostProcess": true}, object{"hostProcess": false},
			object{"hostProcess": nil}, object{"runAsUserName": "ContainerAdministrator"})
	}
}

// setContainerContext sets what only containers have.
func (r podSecurityPods) setContainerContext(c object) {
	switch r.IntN(4) {
	case 0:
		c["privileged"] = r.one(true, true, false, nil)
	case 1:
		c["allowPrivilegeEscalation"] = r.one(true, false, nil)
	case 2:
		c["procMount"] = r.one("Default", "Unmasked", "Unmasked", "", "default", nil)
	case 3:
		c["capabilities"] = r.one(nil, object{}, r.capabilities(), r.capabilities(), r.capabilities(), r.capabilities())
	}
}

func (r podSecurityPods) capabilities() object {
	some := func() any {
		var list []any
		for range r.IntN(3) {
			list = append(list, r.text("ALL", "all", "CAP_ALL", "", "NET_BIND_SERVICE", "CAP_NET_BIND_SERVICE", "net_bind_service", "NET_RAW",
				"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT", "SYS_ADMIN"))
		}
		return list
	}
	drop := r.one([]any{"ALL"}, []any{"NET_RAW", "ALL"}, some())
	return object{"drop": drop, "add": some()}
}

// setHandler sets a probe or a hook that asks a host.
func (r podSecurityPods) setHandler(c object) {
	handler := r.one(
		nil, object{}, object{"exec": object{"command": []any{"a"}}}, object{"grpc": object{"port": 1}}, object{"httpGet": nil}, object{"sleep": object{"seconds": 1}},
		object{"httpGet": object{"port": 80}}, object{"httpGet": object{"port": 80, "host": ""}}, object{"httpGet": object{"port": "web", "host": "a.example"}},
		object{"tcpSocket": object{"port": 80, "host": "127.0.0.1"}}, object{"tcpSocket": object{"port": 80}}, object{"tcpSocket": object{"port": 1, "host": "::1"}},
		object{"httpGet": object{"port": 80, "httpHeaders": []any{object{"name": "Host", "value": "a"}}}},
	)
	switch at := r.text("livenessProbe", "readinessProbe", "startupProbe", "postStart", "preStop", "none"); at {
	case "postStart", "preStop":
		if h, _ := handler.(object); h["grpc"] != nil { // a hook has none
			return
		}
		c["lifecycle"] = object{at: handler}
	case "none":
		c["lifecycle"] = r.one(nil, object{})
	default:
		if h, _ := handler.(object); h["sleep"] == nil { // a probe has none
			c[at] = handler
		}
	}
}

// annotations set profiles as before there were fields for them.
func (r podSecurityPods) annotations(spec object) object {
	name, _ := r.anyContainer(spec)["name"].(string)
	key := r.text(
		"container.apparmor.security.beta.kubernetes.io/"+name, "container.apparmor.security.beta.kubernetes.io/"+name,
		"container.apparmor.security.beta.kubernetes.io/other", "container.apparmor.security.beta.kubernetes.io/", "apparmor.security.beta.kubernetes.io/allowedProfileNames",
		"seccomp.security.alpha.kubernetes.io/pod", "container.seccomp.security.alpha.kubernetes.io/"+name,
	)
	return object{key: r.one("runtime/default", "docker/default", "unconfined", "unconfined", "", "localhost/", "localhost/a", "Unconfined", "runtime/default ", "localhost/a\nb")}
}

// volumes have any source that there is, or none.
func (r podSecurityPods) volumes() any {
	if r.IntN(8) == 0 {
		return r.one(nil, []any{})
	}
	list := []any{object{"name": "a", "emptyDir": object{}}}
	for i := range 1 + r.IntN(2) {
		sources := volumeSources()
		source := sources[r.IntN(len(sources))] // without one, the API server takes an emptyDir
		volume := object{"name": fmt.Sprint("v", i), source: object{}}
		if source != "nfs" && r.IntN(4) == 0 {
			volume["nfs"] = nil
		}
		list = append(list, volume)
	}
	return list
}

func (r podSecurityPods) sysctls() any {
	if r.IntN(4) == 0 {
		return r.one(nil, []any{})
	}
	return []any{object{"value": "1", "name": r.text(
		"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_syncookies",
		"net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
		"net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "kernel.msgmax",
		"net.ipv4/tcp_rmem", "net/ipv4/tcp_rmem", "net.ipv4.tcp_rmem2", "", "Net.ipv4.tcp_rmem",
	)}}
}
