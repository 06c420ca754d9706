package charts

import (
	"runtime/metrics"
	"time"
)

// MaxMemory is how many bytes a process that renders may use.
const MaxMemory = 1 << 30

// Watch calls exceeded once if more than max bytes are in use before the returned function is called. What is rendered
// cannot be stopped, so exceeded is to end the process.
func Watch(max uint64, exceeded func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				if inUse() > max {
					exceeded()
					return
				}
			}
		}
	}()
	return func() { close(done) }
}

// inUse returns the size of the objects on the heap.
func inUse() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
