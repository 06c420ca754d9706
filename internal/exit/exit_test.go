package exit

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"testing"
)

func TestOf(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want Code
	}{
		{"no error", nil, Done},
		{"an error without a code", io.EOF, Failed},
		{"a wrong input", Wrongf("stale"), Wrong},
		{"wrapped", fmt.Errorf("building: %w", Wrongf("stale")), Wrong},
		{"joined", errors.Join(io.EOF, Wrongf("stale")), Wrong},
		{"the end of another program", fmt.Errorf("the engine: %w", exec.Command("false").Run()), Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Of(c.err); got != c.want {
				t.Errorf("%v: got %d, want %d", c.err, got, c.want)
			}
		})
	}
}

func TestWrongf(t *testing.T) {
	err := Wrongf("reading %s: %w", "a", io.EOF)
	if err.Error() != "reading a: EOF" || !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}
