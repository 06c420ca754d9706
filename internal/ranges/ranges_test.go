package ranges

import "testing"

func TestHighest(t *testing.T) {
	versions := []string{"1.2.0", "1.10.0", "v2.0.0", "2.1.0-rc.1", "latest", "1.10.0+b", "0.9"}
	later := func(i, than int) bool { return i > than }
	for wanted, want := range map[string]string{
		"": "v2.0.0", "*": "v2.0.0", "1.x": "1.10.0+b", "~1.2.0": "1.2.0", ">=1.0.0 <2": "1.10.0+b", "2.1.0-rc.1": "2.1.0-rc.1", ">=2.0.0-0": "2.1.0-rc.1",
		"2.0.0": "v2.0.0", "latest": "latest", "3.x": "", "not a range": "", "0.9": "0.9",
	} {
		got := ""
		if at, err := Highest(versions, wanted, later); err == nil {
			got = versions[at]
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", wanted, got, want)
		}
	}
	if Exact("1.x") || !Exact("v1.2.3") || !Valid("") || !Valid("1.x") || Valid("latest") {
		t.Error("what is a version, and what is a range")
	}
}

func TestStamp(t *testing.T) {
	for version, want := range map[string]string{"1.2.3": "1.2.3+7", "v1.2.3-rc.1+b": "1.2.3-rc.1+7", "1.2": "1.2.0+7", "": "", "x": ""} {
		if got, err := Stamp(version, "7"); got != want || err == nil == (want == "") {
			t.Errorf("%q: %q, %v", version, got, err)
		}
	}
	if _, err := Stamp("1.2.3", "a b"); err == nil {
		t.Error("no error about the metadata")
	}
}
