package controlplane

import (
	"os/exec"
	"testing"
)

func TestGitServer(t *testing.T) {
	g, err := startGit(t.Context(), t.TempDir(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	work := t.TempDir()
	for _, args := range [][]string{
		{"init", "-q", "--initial-branch=main", work},
		{"-C", work, "-c", "user.name=n", "-c", "user.email=e@example.com", "commit", "-q", "--allow-empty", "-m", "First"},
		{"-C", work, "push", "-q", g.url(), "HEAD:main"},
		{"clone", "-q", g.url(), work + "/clone"},
		{"-C", work + "/clone", "rev-parse", "main"},
	} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
}
