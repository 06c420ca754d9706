package profile

import (
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

func TestParsePort(t *testing.T) {
	for in, want := range map[string]plan.Port{
		"8080":            {Number: 8080, Protocol: "TCP"},
		"8080/TCP":        {Number: 8080, Protocol: "TCP"},
		"53/UDP":          {Number: 53, Protocol: "UDP"},
		"9000/SCTP":       {Number: 9000, Protocol: "SCTP"},
		"8000-8100/UDP":   {Number: 8000, End: 8100, Protocol: "UDP"},
		"8000-8100":       {Number: 8000, End: 8100, Protocol: "TCP"},
		"1":               {Number: 1, Protocol: "TCP"},
		"65535":           {Number: 65535, Protocol: "TCP"},
		"1-65535/TCP":     {Number: 1, End: 65535, Protocol: "TCP"},
		"http":            {Name: "http", Protocol: "TCP"},
		"dns-udp/UDP":     {Name: "dns-udp", Protocol: "UDP"},
		"8080-web":        {Name: "8080-web", Protocol: "TCP"},
		"a23456789012345": {Name: "a23456789012345", Protocol: "TCP"},
		"h2c/TCP":         {Name: "h2c", Protocol: "TCP"},
	} {
		t.Run(in, func(t *testing.T) {
			got, err := ParsePort(in)
			if err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		})
	}
}

func TestParsePortRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                 "not a number",
		"/TCP":             "not a number",
		"0":                "0 is out of range (1 to 65535)",
		"65536/TCP":        "65536 is out of range",
		"99999999999":      "99999999999 is out of range",
		"-1":               "not a number",
		"+80":              "not a number",
		"080":              "leading zero (write 80)",
		" 80":              "not a number",
		"8100-8000/TCP":    "reversed (write 8000-8100/TCP)",
		"80-80":            "one port (write 80/TCP)",
		"80-":              "not a number",
		"80-70000":         "70000 is out of range",
		"80-90-100":        "not a number",
		"8080/tcp":         "upper case (write 8080/TCP)",
		"http/Udp":         "upper case (write http/UDP)",
		"8080/":            `unknown protocol ""`,
		"8080/ICMP":        `unknown protocol "ICMP" (one of TCP, UDP, SCTP)`,
		"8080/TCP/UDP":     `unknown protocol "TCP/UDP"`,
		"HTTP":             "not a port name",
		"http--alt":        "not a port name",
		"http-":            "not a port name",
		"a234567890123456": "not a port name",
		"8080:TCP":         "not a port name",
		"８０":               "not a number",
	} {
		t.Run(in, func(t *testing.T) {
			got, err := ParsePort(in)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %+v, %v; want an error with %q", got, err, want)
			}
		})
	}
}

func TestCheckCIDR(t *testing.T) {
	tests := []struct {
		name   string
		cidr   string
		except []string
		want   []string // parts of the errors, in order
	}{
		{name: "IPv4", cidr: "10.0.0.0/8"},
		{name: "everything", cidr: "0.0.0.0/0", except: []string{"10.0.0.0/8", "192.168.0.0/16", "169.254.169.254/32"}},
		{name: "one address", cidr: "192.0.2.7/32"},
		{name: "IPv6", cidr: "2001:db8::/32", except: []string{"2001:db8:1::/48"}},
		{name: "all of IPv6", cidr: "::/0", except: []string{"fe80::/10"}},
		{name: "empty", cidr: "", want: []string{"not a CIDR"}},
		{name: "address", cidr: "10.0.0.1", want: []string{"an address, not a CIDR (write 10.0.0.1/32)"}},
		{name: "host bits", cidr: "10.1.2.3/8", want: []string{"has host bits set (write 10.0.0.0/8 for the block or 10.1.2.3/32 for the address)"}},
		{name: "host bits in IPv6", cidr: "2001:db8::1/32", want: []string{"write 2001:db8::/32 for the block"}},
		{name: "too long", cidr: "10.0.0.0/33", want: []string{"not a CIDR"}},
		{name: "leading zeros", cidr: "010.0.0.0/8", want: []string{"not a CIDR"}},
		{name: "zone", cidr: "fe80::1%eth0/128", want: []string{"not a CIDR"}},
		{name: "not canonical", cidr: "2001:DB8:0::/32", want: []string{"write 2001:db8::/32"}},
		{name: "IPv4 in IPv6", cidr: "::ffff:10.0.0.0/104", want: []string{"write 10.0.0.0/8"}},
		{name: "short IPv4 in IPv6", cidr: "::ffff:10.0.0.0/40", want: []string{"mixes IPv4 and IPv6"}},
		{name: "except outside", cidr: "10.0.0.0/8", except: []string{"11.0.0.0/16"}, want: []string{"except: 11.0.0.0/16 is not inside 10.0.0.0/8"}},
		{name: "except equal", cidr: "10.0.0.0/8", except: []string{"10.0.0.0/8"}, want: []string{"is not inside"}},
		{name: "except wider", cidr: "10.1.0.0/16", except: []string{"10.0.0.0/8"}, want: []string{"is not inside"}},
		{name: "except of the other family", cidr: "10.0.0.0/8", except: []string{"2001:db8::/32"}, want: []string{"different IP families"}},
		{name: "except twice", cidr: "10.0.0.0/8", except: []string{"10.1.0.0/16", "10.1.0.0/16"}, want: []string{"twice"}},
		{name: "except with host bits", cidr: "10.0.0.0/8", except: []string{"10.1.2.0/16"}, want: []string{"except: \"10.1.2.0/16\" has host bits set (write 10.1.0.0/16"}},
		{name: "all at once", cidr: "10.0.0.1/8", except: []string{"x", "10.1.0.0/16", "10.1.0.0/16"}, want: []string{"host bits", "not a CIDR", "twice"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := CheckCIDR(tt.cidr, tt.except)
			if len(got) != len(tt.want) {
				t.Fatalf("got %v; want %q", got, tt.want)
			}
			for i, err := range got {
				if !strings.Contains(err.Error(), tt.want[i]) {
					t.Errorf("got %q; want %q in it", err, tt.want[i])
				}
			}
		})
	}
}
