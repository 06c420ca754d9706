package verdict

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

// example returns a text of printable ASCII that matches a regular expression. It
// reports false if the simplest attempt does not match.
func example(pattern string) (string, bool) {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", false
	}
	text, ok := shortest(parsed.Simplify())
	if !ok || text == "" {
		return "", false
	}
	matches, err := regexp.MatchString(pattern, text) // an anchor in the middle, or a word boundary
	return text, matches && err == nil
}

// shortest returns a match that uses the first alternatives and the fewest repetitions.
func shortest(re *syntax.Regexp) (string, bool) {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpStar, syntax.OpQuest, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return "", true
	case syntax.OpLiteral:
		return string(re.Rune), true
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return "x", true
	case syntax.OpCharClass:
		return oneOf(re.Rune)
	case syntax.OpCapture, syntax.OpPlus, syntax.OpAlternate:
		return shortest(re.Sub[0])
	case syntax.OpConcat:
		var b strings.Builder
		for _, sub := range re.Sub {
			text, ok := shortest(sub)
			if !ok {
				return "", false
			}
			b.WriteString(text)
		}
		return b.String(), true
	}
	return "", false
}

// oneOf returns a character of a class, which is given as pairs of bounds.
func oneOf(class []rune) (string, bool) {
	for _, r := range "x0X-_./:@!#$%&'()*+,;<=>?[]^`{|}~abcdefghijklmnopqrstuvwyzABCDEFGHIJKLMNOPQRSTUVWYZ123456789 \"\\" {
		for i := 0; i+1 < len(class); i += 2 {
			if class[i] <= r && r <= class[i+1] {
				return string(r), true
			}
		}
	}
	return "", false
}
