package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shellCases are what is typed and what is offered, in any shell.
var shellCases = []struct{ line, want string }{
	{"gatehouse test src -e ", "dev prod"},
	{"gatehouse test src -e p", "prod"},
	{"gatehouse test src --environment=p", "prod"},
	{"gatehouse impact src --stage en", "enforce enforce-platform"},
	{"gatehouse impact src --fail-on ", "blocked never unjudged"},
	{"gatehouse impact src -o sa", "sarif"},
	{"gatehouse catalog show disallow-host-pr", "disallow-host-probes disallow-host-process"},
	{"gatehouse test nowhere -e ", ""},
	{"gatehouse version ", ""},
}

// shellFolder is a folder with a source, in which a shell completes.
func shellFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/shell")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// completeIn runs a shell with a script that prints what each line of shellCases
// completes to, and compares.
func completeIn(t *testing.T, shell, dir, script string, cases []struct{ line, want string }) {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil {
		t.Skipf("no %s on this machine", shell)
	}
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		cmd := exec.Command(path, file, c.line)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", shell, err, out)
		}
		if got := strings.Join(strings.Fields(string(out)), " "); got != c.want {
			t.Errorf("%q: got %q, want %q", c.line, got, c.want)
		}
	}
}

// TestBash completes in a real bash, as it calls the function when Tab is pressed.
// What the script takes from the package bash-completion is replaced.
func TestBash(t *testing.T) {
	if out, err := exec.Command("bash", "-c", "echo ${BASH_VERSINFO[0]}").Output(); err == nil && len(out) == 2 && out[0] < '4' {
		t.Skip("this bash is too old")
	}
	completeIn(t, "bash", shellFolder(t), `
_get_comp_words_by_ref() { # as bash-completion does, with -n =: for words that "=" does not split
	words=() cword=-1
	local word
	for word in "${COMP_WORDS[@]}"; do
		if [[ $word == "=" || ${glue-} ]]; then words[cword]+=$word; else words+=("$word"); ((++cword)); fi
		if [[ $word == "=" ]]; then glue=1; else glue=; fi
	done
	cur=${words[cword]} prev=${words[cword-1]}
}
__ltrim_colon_completions() { :; }
_filedir() { # -d: folders; a pattern: folders and files
	local pattern=
	if [[ ${1-} != -d ]]; then pattern="*.@($1)"; fi
	local name
	for name in "$cur"*; do
		if [[ -d $name || $pattern && $name == $pattern ]]; then COMPREPLY+=("$name"); fi
	done
}
type() { if [[ "$*" == "-t compopt" ]]; then echo builtin; else builtin type "$@"; fi; }
compopt() { if [[ "$*" == "+o default" ]]; then files=; fi; }
shopt -s extglob
source <(gatehouse completion bash)
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_KEY=9 files=files
COMP_WORDS=(${1//=/ = })
if [[ $1 == *" " ]]; then COMP_WORDS+=(""); fi
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
__start_gatehouse
if [[ ${#COMPREPLY[@]} -eq 0 ]]; then COMPREPLY=($files); fi
printf '%s\n' "${COMPREPLY[@]}" | sort
`, append(shellCases, []struct{ line, want string }{
		{"gatehouse build ", "src x.yaml"},
		{"gatehouse build src -o ", "src"},
		{"gatehouse test src --engine ", "files"},
	}...))
}

// TestFish completes in a real fish. It cannot filter folders: it offers all files.
func TestFish(t *testing.T) {
	cases := append(shellCases[:0:0], shellCases...)
	for i := range cases { // fish repeats the flag
		if flag, _, ok := strings.Cut(cases[i].line, "="); ok {
			cases[i].want = flag[strings.LastIndex(flag, " ")+1:] + "=" + cases[i].want
		}
	}
	completeIn(t, "fish", shellFolder(t), `
gatehouse completion fish | source
complete -C $argv[1] | string split -f 1 \t | sort
`, append(cases, []struct{ line, want string }{
		{"gatehouse build ", "notes.txt src/ x.yaml"},
	}...))
}

// TestZsh completes in a real, interactive zsh with a terminal.
func TestZsh(t *testing.T) {
	completeIn(t, "zsh", shellFolder(t), `
zmodload zsh/zpty || exit 1
zpty shell zsh -f -i
zpty -w shell 'PROMPT=; autoload -Uz compinit; compinit -u -D; source <(gatehouse completion zsh)'
# Print what is offered, and offer it.
zpty -w shell 'compadd() {
	typeset -a offered
	if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
		builtin compadd -A offered "$@"
		for word in $offered; do print -r -- "OFFERED:$word"; done
	fi
	builtin compadd "$@"
}'
zpty -w shell 'zstyle ":completion:*" insert-tab false; finished() { print -r -- FINI"SHED" }; comppostfuncs=(finished); echo REA"DY"'
zpty -r shell out '*READY*'
zpty -n -w shell "$1"$'\t'
zpty -r shell out '*FINISHED*'
print -r -- "$out" | tr -d '\r' | sed -n 's/^.*OFFERED://p' | sort -u
zpty -d shell
`, append(shellCases[:3:3], []struct{ line, want string }{ // each takes a second
		{"gatehouse version ", ""},
		{"gatehouse build ", "src x.yaml"},
		{"gatehouse build src -o ", "src"},
		{"gatehouse test src --engine ", "notes.txt src x.yaml"},
	}...))
}
