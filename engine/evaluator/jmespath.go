package evaluator

import (
	"regexp"
	"strings"
	"sync"

	"github.com/kyverno/kyverno/pkg/engine/jmespath"
)

// compiledOnce remembers compiled expressions. Kyverno compiles each anew whenever a rule asks for it, which takes longer than
// to evaluate most of them.
type compiledOnce struct {
	jmespath.Interface
	mu       sync.RWMutex
	compiled map[string]jmespath.Query
}

// maxCompiled and maxExpression bound what is remembered, because expressions may contain values of requests. The size is in bytes.
const (
	maxCompiled   = 4096
	maxExpression = 16 << 10
)

// collection finds a literal list or object. Each evaluation returns the same one, and what gets it may change it.
// An empty list has nothing to change.
var collection = regexp.MustCompile("`\\s*[\\[{]")

// Query implements jmespath.Interface. What it returns may be used concurrently.
func (c *compiledOnce) Query(expression string) (jmespath.Query, error) {
	c.mu.RLock()
	known := c.compiled[expression]
	c.mu.RUnlock()
	if known != nil {
		return known, nil
	}
	query, err := c.Interface.Query(expression)
	if err != nil || len(expression) > maxExpression || collection.MatchString(strings.ReplaceAll(expression, "`[]`", "")) {
		return query, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.compiled) < maxCompiled {
		c.compiled[expression] = query
	}
	return query, nil
}

// Search implements jmespath.Interface.
func (c *compiledOnce) Search(expression string, data any) (any, error) {
	query, err := c.Query(expression)
	if err != nil {
		return nil, err
	}
	return query.Search(data)
}
