package report

import (
	"errors"
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	broken := errors.New("broken")
	encoders := Encoders{
		"json": JSON(map[string]int{"a": 1}), "text": Text(func() string { return "t\n" }),
		"broken": func() ([]byte, error) { return []byte("half"), broken },
	}
	for format, want := range map[string]string{"json": "{\n  \"a\": 1\n}\n", "text": "t\n"} {
		var b strings.Builder
		if err := encoders.Write(&b, format); err != nil || b.String() != want {
			t.Errorf("%s: got %q, error %v", format, b.String(), err)
		}
	}
	for format, want := range map[string]string{"broken": "encoding the report: broken", "xml": `a report has no format "xml"`} {
		var b strings.Builder
		if err := encoders.Write(&b, format); err == nil || err.Error() != want || b.Len() > 0 {
			t.Errorf("%s: got %q, error %v", format, b.String(), err)
		}
	}
}
