package charts

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

// errSchema is the error of values that do not match a schema.
var errSchema = errors.New("values do not match values.schema.json")

// check checks values against the schemas of a chart and its subcharts, with the function of an installation. It does not if
// a schema refers to anything outside of it, which Helm would fetch: unchecked then says so.
func check(c *chart.Chart, values common.Values) (unchecked string, err error) {
	if url := outside(c); url != "" {
		return fmt.Sprintf("values.schema.json refers to %s, which is not fetched", url), nil
	}
	if err := commonutil.ValidateAgainstSchema(c, values); err != nil {
		return "", fmt.Errorf("%w of chart %w", errSchema, err)
	}
	return "", nil
}

// outside returns the first reference of a schema of a chart that leads out of it; empty for none.
func outside(c *chart.Chart) string {
	if url := leads(c.Schema); url != "" {
		return url
	}
	for _, d := range c.Dependencies() {
		if url := outside(d); url != "" {
			return url
		}
	}
	return ""
}

// leads compiles a schema as Helm does, and returns what it would load for it; empty for nothing.
func leads(schema []byte) (url string) {
	if len(schema) == 0 {
		return ""
	}
	defer func() { _ = recover() }() // Helm says what is wrong with the schema
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return ""
	}
	const name = "file:///values.schema.json"
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(loading(func(wanted string) (any, error) {
		if strings.HasPrefix(wanted, "urn:") { // Helm takes any of them for a schema that all matches
			return true, nil
		}
		url = wanted
		return nil, errors.New("not fetched")
	}))
	if compiler.AddResource(name, document) == nil {
		_, _ = compiler.Compile(name)
	}
	return url
}

// loading implements [jsonschema.URLLoader].
type loading func(url string) (any, error)

// Load implements [jsonschema.URLLoader].
func (l loading) Load(url string) (any, error) { return l(url) }
