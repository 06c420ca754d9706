package output

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// ErrHeld is wrapped by the error of Hold if another build has the folder.
var ErrHeld = errors.New("another build writes into it")

const (
	// holdWait is how long Hold waits for another build.
	holdWait = 10 * time.Second
	// holdLook is how often it looks.
	holdLook = 50 * time.Millisecond
)

// Hold keeps other builds out of dir until release is called or the program ends, however it
// ends. It waits some seconds for another build. The system holds the folder itself, so that
// no file is left. It does nothing if dir does not exist, or if its file system or the system
// cannot hold folders.
func Hold(ctx context.Context, dir string) (release func(), err error) {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening the output: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, holdWait, fmt.Errorf("%s: %w", dir, ErrHeld))
	defer cancel()
	for {
		if free, held := hold(f); held {
			return func() { free(); f.Close() }, nil
		}
		select {
		case <-time.After(holdLook):
		case <-ctx.Done():
			f.Close()
			return nil, context.Cause(ctx)
		}
	}
}
