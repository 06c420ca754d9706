package main

import (
	"context"
	"io"
	"strings"
	"testing"
)

func TestConfirmed(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, " Yes \n": true, "y": true, "n\n": false, "\n": false, "": false, "yesterday\n": false} {
		if got := confirmed(t.Context(), strings.NewReader(answer)); got != want {
			t.Errorf("%q: got %v", answer, got)
		}
	}
}

// TestConfirmedInterrupted ends without an answer.
func TestConfirmedInterrupted(t *testing.T) {
	in, typed := io.Pipe()
	defer typed.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if confirmed(ctx, in) {
		t.Error("an interrupt counts as yes")
	}
}
