// Package tmpl renders the YAML templates of the catalogue so that a value can
// never change their structure.
//
// A template is Go text/template with the delimiters << and >>, because Kyverno
// uses {{ and }}. Three rules make it safe for untrusted values:
//
//   - Every printed action is encoded as JSON, by the engine and not by the author.
//   - An action is one whole YAML value: never inside quotes, a block
//     scalar, a longer plain scalar, a comment, or as a mapping key. Render
//     proves that on the template with placeholders before it puts values in.
//   - There is no range, if, with, define, template or block: the shape of the
//     document does not depend on the values. Lists are folded by functions.
//
// A parameter with text that Kyverno would evaluate later ({{, }} or $( ) is refused,
// even if the text only results from joining pieces. The literals of a template may
// contain it: << printf "allowed: %s, found: {{ images }}" (join ", " .registries) >>.
//
// The functions are an allow-list (see funcs): deterministic, without access to
// the clock, the environment, the network or random numbers.
package tmpl
