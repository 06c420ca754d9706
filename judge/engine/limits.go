package engine

import "time"

// What the client takes from an engine, besides [MaxLine]. An engine that exceeds a limit, or that writes what is not
// a [Response] to a request in flight, is ended; each call that waits gets an error that says so.
const (
	// helloWait is how long an engine may take to start and to answer hello.
	helloWait = 2 * time.Minute
	// answerWait is how long an engine may take to answer any other request: many times what the largest batch takes.
	answerWait = 10 * time.Minute
	// chartWait is how long an engine may take to render a chart. Charts of hundreds of templates take a second.
	chartWait = time.Minute
	// pullWait is how long an engine may take to pull a chart.
	pullWait = 5 * time.Minute
	// closeWait is how long an engine may take to end by itself once its stdin or its stdout is closed.
	closeWait = 5 * time.Second
	// tailSize is how many bytes of the engine's stderr are kept for errors. The rest is read and dropped.
	tailSize = 8 << 10
)

// limits of a client.
type limits struct {
	line                 int
	hello, answer, close time.Duration
	chart, pull          time.Duration
}

func usualLimits() limits {
	return limits{line: MaxLine, hello: helloWait, answer: answerWait, close: closeWait, chart: chartWait, pull: pullWait}
}

// wait returns how long the answer to a method may take.
func (l limits) wait(method string) time.Duration {
	switch method {
	case MethodHello:
		return l.hello
	case MethodRender:
		return l.chart
	case MethodPull:
		return l.pull
	}
	return l.answer
}
