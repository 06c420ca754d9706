package diag

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxSuggested is how many candidates a hint suggests if they are equally near.
	maxSuggested = 3
	// maxMeant is the length of a text that may be meant to be a name.
	maxMeant = 100
	// maxListed is how many of a long set a hint lists if none is near.
	maxListed = 8
)

// DidYouMean returns `did you mean "x"?` for the candidate nearest to got, or
// an empty string if none is near enough to be meant.
func DidYouMean(got string, candidates []string) string {
	near := nearest(got, candidates)
	return didYouMean(near[:min(1, len(near))])
}

func didYouMean(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}
	switch last := len(quoted) - 1; {
	case last < 0:
		return ""
	case last == 0:
		return fmt.Sprintf("did you mean %s?", quoted[0])
	default:
		return fmt.Sprintf("did you mean %s or %s?", strings.Join(quoted[:last], ", "), quoted[last])
	}
}

// OneOf is the hint for a value outside a set: the nearest one if there is one, else all.
func OneOf(got string, candidates []string) string {
	if hint := DidYouMean(got, candidates); hint != "" {
		return hint
	}
	if len(candidates) == 0 {
		return "there is none"
	}
	return "one of " + strings.Join(candidates, ", ")
}

// OneOfMany is OneOf for a set that may be too long for a hint. It suggests a few
// that are equally near, or that got is a part of. If there are none and the set
// is long, the hint is elsewhere, such as "gatehouse catalog list shows them".
func OneOfMany(got string, candidates []string, elsewhere string) string {
	near := nearest(got, candidates)
	if len(near) == 0 && len(got) > 3 {
		near = containing(got, candidates)
	}
	switch {
	case len(near) > 0 && len(near) <= maxSuggested:
		return didYouMean(near)
	case len(candidates) <= maxListed:
		return OneOf(got, candidates)
	}
	return elsewhere
}

// nearest returns the candidates that are the fewest mistakes away from got, if
// these are few enough; sorted.
func nearest(got string, candidates []string) (near []string) {
	if len(got) > maxMeant {
		return nil
	}
	got = strings.ToLower(got)
	best := max(1, len(got)/3)
	for _, c := range candidates {
		if max(len(c)-len(got), len(got)-len(c)) > best {
			continue // the distance is at least that
		}
		switch d := distance(got, strings.ToLower(c)); {
		case d < best:
			near, best = []string{c}, d
		case d == best:
			near = append(near, c)
		}
	}
	slices.Sort(near)
	return slices.Compact(near)
}

func containing(part string, candidates []string) (names []string) {
	for _, c := range candidates {
		if strings.Contains(strings.ToLower(c), strings.ToLower(part)) {
			names = append(names, c)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// distance is the number of insertions, deletions, substitutions and swaps of
// neighbours that turn a into b (optimal string alignment).
func distance(a, b string) int {
	before, row := []int(nil), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
