package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// completes is a command of the scripts: `completes 'dev prod' impact src -e ”`
// fails unless a shell is offered just that. Files are offered as the shell's own
// completion: folders, *.yaml, files.
func completes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: completes WANT ARGS...")
	}
	ts.Check(ts.Exec("gatehouse", append([]string{"__complete"}, args[1:]...)...))
	if noise := strings.Split(strings.TrimSpace(ts.ReadFile("stderr")), "\n"); len(noise) != 1 || !strings.HasPrefix(noise[0], "Completion ended with directive: ") {
		ts.Fatalf("a completion must be silent: %s", ts.ReadFile("stderr"))
	}
	if got := offered(ts.ReadFile("stdout")); got != args[0] {
		ts.Fatalf("got %q", got)
	}
}

// offered is what a shell shows for the answer of __complete.
func offered(answer string) string {
	lines := strings.Split(strings.TrimSpace(answer), "\n")
	var words []string
	for _, line := range lines[:len(lines)-1] {
		word, _, _ := strings.Cut(line, "\t")
		words = append(words, word)
	}
	switch lines[len(lines)-1] {
	case ":0":
		words = append(words, "files")
	case ":4":
	case ":8":
		words = []string{"folders", "*." + strings.Join(words, " *.")}
	case ":16":
		words = append(words, "folders")
	default:
		words = append(words, lines...)
	}
	return strings.Join(words, " ")
}

// TestCompletionsAreDeclared: each argument, and each flag that takes a value, has
// a completion, if only cobra.NoFileCompletions, and is tried in a script.
func TestCompletionsAreDeclared(t *testing.T) {
	scripts := completionScripts(t)
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.ValidArgsFunction == nil && !cmd.HasSubCommands() {
			t.Errorf("%s: its arguments have no completion", cmd.CommandPath())
		}
		words := strings.Fields(cmd.CommandPath())[1:]
		if !cmd.HasSubCommands() && !slices.ContainsFunc(scripts, func(line []string) bool { return hasPrefix(line, words) && !isFlag(line[len(line)-2]) }) {
			t.Errorf("%s: no script completes its arguments", cmd.CommandPath())
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.NoOptDefVal != "" { // takes no value
				return
			}
			if _, ok := cmd.GetFlagCompletionFunc(f.Name); !ok {
				t.Errorf("%s --%s has no completion", cmd.CommandPath(), f.Name)
			}
			if !slices.ContainsFunc(scripts, func(line []string) bool { return hasPrefix(line, words) && line[len(line)-2] == "--"+f.Name }) {
				t.Errorf("%s --%s: no script completes it", cmd.CommandPath(), f.Name)
			}
		})
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRootCmd(nil, nil, nil, nil))
}

// completionScripts are the command lines that the scripts complete.
func completionScripts(t *testing.T) (lines [][]string) {
	t.Helper()
	names, err := filepath.Glob("testdata/script/complete_*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			if command, ok := bytes.CutPrefix(line, []byte("completes '")); ok {
				_, command, _ := strings.Cut(string(command), "' ")
				lines = append(lines, strings.Fields(command))
			}
		}
	}
	return lines
}

func hasPrefix(line, words []string) bool {
	return len(line) >= max(2, len(words)) && slices.Equal(line[:len(words)], words)
}

func isFlag(word string) bool { return strings.HasPrefix(word, "-") }
