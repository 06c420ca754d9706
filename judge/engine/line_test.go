package engine

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLines(t *testing.T) {
	long := strings.Repeat("y", 200<<10) // longer than the buffer
	tests := []struct {
		name, in string
		limit    int
		want     []string
	}{
		{"empty", "", 10, nil},
		{"blank lines", "\n \r\n\n", 10, nil},
		{"last line without newline", "a\nb", 10, []string{"a", "b"}},
		{"exactly the limit", "1234567890\nb\n", 10, []string{"1234567890", "b"}},
		{"exactly the limit with CR LF", "1234567890\r\nb\r\n", 10, []string{"1234567890", "b"}},
		{"over the limit", "12345678901\nb\n", 10, []string{"too long", "b"}},
		{"over the limit at the end", "a\n12345678901", 10, []string{"a", "too long"}},
		{"carriage returns over the limit", strings.Repeat("\r", 12) + "\nb\n", 10, []string{"too long", "b"}},
		{"longer than the buffer", long + "\nb\n", 1 << 20, []string{long, "b"}},
		{"longer than buffer and limit", long + "\nb\n", 100 << 10, []string{"too long", "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := NewLines(strings.NewReader(tt.in), tt.limit)
			var got []string
			for {
				line, err := r.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if errors.Is(err, ErrTooLong) {
					line = []byte("too long")
				} else if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(line))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A line that does not end is refused as soon as it is over the limit, whatever it is made of.
func TestLinesEndless(t *testing.T) {
	for _, filler := range []string{"x", "\r", " ", "{}"} {
		r := NewLines(endless(filler), 1<<20)
		if line, err := r.Next(); !errors.Is(err, ErrTooLong) || len(line) > keptOfLongLine {
			t.Errorf("%q without end: %d bytes, %v", filler, len(line), err)
		}
	}
}

// endless reads as a text again and again.
type endless string

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e[i%len(e)]
	}
	return len(p), nil
}

func TestDecode(t *testing.T) {
	for text, good := range map[string]bool{
		`{"id":1}`: true, ` {"id":1} `: true, `{"id":1}}`: false, `{"id":1} 2`: false, `{"id":1`: false, `{"ID2":1}`: false, `[]`: false, ``: false,
	} {
		var request Request
		if err := Decode([]byte(text), &request); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}
