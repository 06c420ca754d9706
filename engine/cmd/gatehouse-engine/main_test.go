package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

func TestRun(t *testing.T) {
	tests := []struct {
		name   string
		args   []string
		in     string
		status int
		out    string // beginning
		errOut string
	}{
		{name: "help", args: []string{"--help"}, out: "gatehouse-engine is the Kyverno engine"},
		{name: "version", args: []string{"--version"}, out: "gatehouse-engine "},
		{name: "unknown flag", args: []string{"--frob"}, status: 1, errOut: "gatehouse-engine: flag provided but not defined: -frob\n"},
		{name: "argument", args: []string{"frob"}, status: 1, errOut: "gatehouse-engine: unexpected argument \"frob\"\n"},
		{name: "hello", in: `{"id":1,"method":"hello"}` + "\n", out: fmt.Sprintf(`{"id":1,"result":{"protocol":%d,`, protocol.Protocol)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			status := run(tt.args, strings.NewReader(tt.in), &out, &errOut)
			if status != tt.status || !strings.HasPrefix(out.String(), tt.out) || errOut.String() != tt.errOut {
				t.Errorf("status %d, stdout %q, stderr %q", status, out.String(), errOut.String())
			}
		})
	}
}
