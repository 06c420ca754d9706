package catalog

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/templates"
)

// keyed is a sample control whose condition has the given value for its key.
func keyed(t *testing.T, action string) *Control {
	t.Helper()
	return sample(t, "clusterpolicy.yaml", `"{{ request.object.metadata.name }}"`+"\n", "<< "+action+" >>\n")
}

// keyOf returns the key of the condition of a sample control.
func keyOf(t *testing.T, policy Policy) string {
	t.Helper()
	text := encoded(t, policy)
	found := regexp.MustCompile(`"key":"([^"]*)"`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no key in %s", text)
	}
	return found[1]
}

func TestNarrowed(t *testing.T) {
	only := Narrowing{Container: "name != 'a' || x", Image: "@ != 'b'"}
	tests := map[string]struct{ action, all, narrowed string }{
		"all containers": {
			`containers`,
			"[containers, initContainers, ephemeralContainers]",
			"[containers[?name != 'a' || x], initContainers[?name != 'a' || x], ephemeralContainers[?name != 'a' || x]]",
		},
		"some containers": {`containers "initContainers"`, "[initContainers]", "[initContainers[?name != 'a' || x]]"},
		"the Pod stays":   {`containers "[@]" "@" "containers"`, "[[@], @, containers]", "[[@], @, containers[?name != 'a' || x]]"},
		"a filter stays": {
			`containers "initContainers[?restartPolicy == 'Always' || y]"`,
			"[initContainers[?restartPolicy == 'Always' || y]]",
			"[initContainers[?(restartPolicy == 'Always' || y) && (name != 'a' || x)]]",
		},
		"images": {
			`images`,
			"[[containers, initContainers, ephemeralContainers][] | [?@ != `null`].{name: not_null(name, 'unnamed'), image: not_null(image, '')}, " +
				"volumes[?image.reference != `null`].{name: name, image: image.reference}][]",
			"[[containers[?name != 'a' || x], initContainers[?name != 'a' || x], ephemeralContainers[?name != 'a' || x]][] | " +
				"[?@ != `null`].{name: not_null(name, 'unnamed'), image: not_null(image, '')}, " +
				"(volumes[?image.reference != `null`].{name: name, image: image.reference} | [?(image | @ != 'b')])][]",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := keyed(t, tt.action)
			params, _ := c.Examples()
			all, err := c.Render(ClusterPolicy, params)
			if err != nil {
				t.Fatal(err)
			}
			if got := keyOf(t, all); got != tt.all {
				t.Errorf("rendered %s, want %s", got, tt.all)
			}
			narrowed, ok, err := c.Narrowed(ClusterPolicy, params, only)
			if err != nil || !ok {
				t.Fatalf("ok %v, error %v", ok, err)
			}
			if got := keyOf(t, narrowed); got != tt.narrowed {
				t.Errorf("narrowed to %s, want %s", got, tt.narrowed)
			}
		})
	}
}

func TestNarrowedRefuses(t *testing.T) {
	c := sample(t, "control.yaml", "", "")
	params, _ := c.Examples()
	if _, ok, err := c.Narrowed(ClusterPolicy, params, Narrowing{Container: "name"}); ok || err != nil {
		t.Errorf("a control that lists no containers is narrowed: ok %v, error %v", ok, err)
	}
	c = keyed(t, `containers "volumes"`)
	if _, err := c.Render(ClusterPolicy, params); err == nil || !strings.Contains(err.Error(), `"volumes" is neither`) {
		t.Errorf("volumes as containers: %v", err)
	}
	c = keyed(t, `containers`)
	if _, _, err := c.Narrowed(ClusterPolicy, params, Narrowing{Container: "name == '{{ request.object.metadata.name }}'"}); err == nil {
		t.Error("a predicate holds a variable of Kyverno")
	}
}

// TestBuiltinNarrows renders every built-in control without containers and images: none
// may be listed in another way.
func TestBuiltinNarrows(t *testing.T) {
	set, problems := Load(templates.FS(), "controls")
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	lists := regexp.MustCompile(`\b(containers|initContainers|ephemeralContainers)\b`)
	narrowed := 0
	for _, c := range set.Controls {
		params, _ := c.Examples()
		if !c.Judges() || c.Instances != "" {
			continue // an image rule has patterns of its own
		}
		policy, ok, err := c.Narrowed(ClusterPolicy, params, Narrowing{Container: "KEEP", Image: "IMAGE"})
		if err != nil {
			t.Fatal(err)
		}
		text := expressionsOf(t, policy)
		for what, counts := range map[string][2]int{
			"containers":    {len(lists.FindAllString(text, -1)), strings.Count(text, "KEEP")},
			"image volumes": {strings.Count(text, "image: image.reference"), strings.Count(text, "IMAGE")},
		} {
			if counts[0] != counts[1] {
				t.Errorf("%s lists %s %d times, and narrows them %d times", c.ID, what, counts[0], counts[1])
			}
		}
		if ok {
			narrowed++
		}
	}
	if narrowed < 20 {
		t.Errorf("%d controls are about containers", narrowed)
	}
}

// expressionsOf returns the conditions and context variables of a policy.
func expressionsOf(t *testing.T, policy Policy) string {
	t.Helper()
	return strings.Join(regexp.MustCompile(`\{\{.*?\}\}|"jmesPath":"([^"\\]|\\.)*"`).FindAllString(encoded(t, policy), -1), "\n")
}

// encoded returns the JSON of a policy, in which && stays as it is.
func encoded(t *testing.T, policy Policy) string {
	t.Helper()
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(policy.Body); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
