package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// pageDay is the day on which a page is read, unless it gives another one with --now.
const pageDay = "2026-11-26"

// elsewhere matches commands that need the Kyverno engine or a cluster: TestReadme of the
// engine and make e2e run them.
var elsewhere = regexp.MustCompile(`^gatehouse (test|impact|bootstrap|uninstall)\b`)

// omitted stands for any number of lines that a page does not show.
const omitted = "…"

// step is one command of a page, and what the page says it prints.
type step struct {
	line    int // of the command, from 1
	end     int // index of the line after what is shown
	command string
	shown   []string
}

// readSteps returns the commands in the console blocks of a page. A command begins with
// "$ " and goes on in lines that begin with "> ".
func readSteps(lines []string) []step {
	var steps []step
	inside, command := false, false
	for i, line := range lines {
		switch {
		case line == "```console":
			inside = true
		case line == "```":
			inside = false
		case !inside:
		case strings.HasPrefix(line, "$ "):
			steps, command = append(steps, step{line: i + 1, end: i + 1, command: line[2:]}), true
		case command && strings.HasPrefix(line, "> "):
			s := &steps[len(steps)-1]
			s.command, s.end = s.command+"\n"+line[2:], i+1
		case len(steps) > 0:
			s := &steps[len(steps)-1]
			s.shown, s.end, command = append(s.shown, line), i+1, false
		}
	}
	return steps
}

// answer is what a command printed, to both outputs, and its exit status.
type answer struct {
	lines  []string
	status int
}

// typeAll types the commands into one shell.
func typeAll(t *testing.T, dir string, steps []step) []answer {
	t.Helper()
	const end = "\x1e" // ends what a command printed
	var script strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&script, "%s\nprintf '"+end+"%%d"+end+"' $?\n", s.command)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script.String())
	cmd.Dir, cmd.Env = dir, append(os.Environ(), readerEnv(t)...)
	out, err := cmd.CombinedOutput()
	parts := strings.Split(string(out), end)
	if len(parts) != 2*len(steps)+1 {
		t.Fatalf("the shell ended early: %v: %s", err, out)
	}
	answers := make([]answer, len(steps))
	for i := range answers {
		if text := strings.TrimSuffix(parts[2*i], "\n"); text != "" {
			answers[i].lines = strings.Split(text, "\n")
		}
		if answers[i].status, err = strconv.Atoi(parts[2*i+1]); err != nil {
			t.Fatal(err)
		}
	}
	return answers
}

// readerEnv is the environment of a reader: gatehouse is on the PATH, Git knows who
// commits, and for both of them and for date it is pageDay.
func readerEnv(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	gatehouse, err := exec.LookPath("gatehouse") // which testscript put there
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"gatehouse": "#!/bin/sh\ncase \" $* \" in *' --now '*) exec '" + gatehouse + "' \"$@\" ;; esac\nexec '" + gatehouse + "' \"$@\" --now " + pageDay + "\n",
		"date":      "#!/bin/sh\n[ \"$*\" = '-u +%F' ] && echo " + pageDay + "\n",
		"gitconfig": "[user]\n\tname = Reader\n\temail = reader@example.com\n[init]\n\tdefaultBranch = main\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return []string{
		"PATH=" + dir + string(os.PathListSeparator) + os.Getenv("PATH"), "LC_ALL=C",
		"GIT_CONFIG_GLOBAL=" + filepath.Join(dir, "gitconfig"), "GIT_CONFIG_NOSYSTEM=1",
	}
}

// matches reports whether a page shows what was printed, apart from what it omits.
func matches(shown, printed []string) bool {
	if len(shown) == 0 {
		return len(printed) == 0
	}
	if shown[0] != omitted {
		return len(printed) > 0 && shown[0] == printed[0] && matches(shown[1:], printed[1:])
	}
	for i := range len(printed) + 1 {
		if matches(shown[1:], printed[i:]) {
			return true
		}
	}
	return false
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		shown, printed string
		want           bool
	}{
		{"a b", "a b", true},
		{"a b", "a", false},
		{"a", "a b", false},
		{"a … d", "a b c d", true},
		{"a … d", "a d", true},
		{"a … d", "a b c", false},
		{"… c …", "a b c d", true},
		{"a …", "a", true},
		{"…", "", true},
		{"", "a", false},
	} {
		if got := matches(strings.Fields(c.shown), strings.Fields(c.printed)); got != c.want {
			t.Errorf("%q and %q: got %v", c.shown, c.printed, got)
		}
	}
}
