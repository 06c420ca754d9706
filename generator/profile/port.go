package profile

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

const maxPort = 65535

// protocols lists the protocols of a NetworkPolicy.
var protocols = [...]string{"TCP", "UDP", "SCTP"}

// portName is IANA_SVC_NAME (RFC 6335, 5.1). ParsePort checks the length, and that
// there is a letter.
var portName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// ParsePort parses PORT, FIRST-LAST or NAME, followed by /TCP, /UDP or /SCTP. The
// default protocol is TCP, as in Kubernetes. NAME is the name of a container port.
// Errors have their hint in parentheses.
func ParsePort(s string) (plan.Port, error) {
	port, protocol, hasProtocol := strings.Cut(s, "/")
	if !hasProtocol {
		protocol = "TCP"
	}
	if err := checkProtocol(s, port, protocol); err != nil {
		return plan.Port{}, err
	}
	if strings.ContainsFunc(port, isLetter) {
		if len(port) > 15 || !portName.MatchString(port) {
			return plan.Port{}, fmt.Errorf("%q is not a port name (at most 15 lower-case letters, digits and single hyphens)", port)
		}
		return plan.Port{Name: port, Protocol: protocol}, nil
	}
	first, last, isRange := strings.Cut(port, "-")
	p := plan.Port{Protocol: protocol}
	var err error
	if p.Number, err = portNumber(first); err != nil {
		return plan.Port{}, fmt.Errorf("port %q: %w", s, err)
	}
	if !isRange {
		return p, nil
	}
	if p.End, err = portNumber(last); err != nil {
		return plan.Port{}, fmt.Errorf("port %q: %w", s, err)
	}
	switch {
	case p.End < p.Number:
		return plan.Port{}, fmt.Errorf("port %q: the range is reversed (write %d-%d/%s)", s, p.End, p.Number, protocol)
	case p.End == p.Number:
		return plan.Port{}, fmt.Errorf("port %q: the range is one port (write %d/%s)", s, p.Number, protocol)
	}
	return p, nil
}

func checkProtocol(s, port, protocol string) error {
	for _, known := range protocols {
		if protocol == known {
			return nil
		}
		if strings.EqualFold(protocol, known) {
			return fmt.Errorf("port %q: the protocol must be upper case (write %s/%s)", s, port, known)
		}
	}
	return fmt.Errorf("port %q: unknown protocol %q (one of TCP, UDP, SCTP)", s, protocol)
}

// portNumber accepts decimal digits only; strconv would also accept a sign.
func portNumber(s string) (int32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil && strings.Trim(s, "0123456789") != "" || s == "" {
		return 0, fmt.Errorf("%q is not a number (write a port such as 8080/TCP, a range such as 8000-8100/TCP or a name such as http)", s)
	}
	if err != nil || n < 1 || n > maxPort {
		return 0, fmt.Errorf("%s is out of range (1 to %d)", s, maxPort)
	}
	if s[0] == '0' {
		return 0, fmt.Errorf("%s has a leading zero (write %d)", s, n)
	}
	return int32(n), nil
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

// CheckCIDR returns everything that is wrong with a block and its exceptions, in
// order. Blocks must be in canonical form, without host bits: a block that looks
// like one address but means 16 million opens a network by accident. Each exception
// must be strictly inside the block, because the API server refuses others, and be
// listed once. Errors have their hint in parentheses.
func CheckCIDR(cidr string, except []string) []error {
	var errs []error
	block, err := parsePrefix(cidr)
	if err != nil {
		errs = append(errs, err)
	}
	seen := map[netip.Prefix]bool{}
	for _, e := range except {
		inner, innerErr := parsePrefix(e)
		switch {
		case innerErr != nil:
			errs = append(errs, fmt.Errorf("except: %w", innerErr))
			continue
		case seen[inner]:
			errs = append(errs, fmt.Errorf("except: %s is listed twice", e))
		case err != nil: // nothing to compare with
		case inner.Addr().Is4() != block.Addr().Is4():
			errs = append(errs, fmt.Errorf("except: %s and %s are of different IP families", e, cidr))
		case inner.Bits() <= block.Bits() || !block.Contains(inner.Addr()):
			errs = append(errs, fmt.Errorf("except: %s is not inside %s (it must be a smaller block)", e, cidr))
		}
		seen[inner] = true
	}
	return errs
}

func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return netip.Prefix{}, fmt.Errorf("%q is an address, not a CIDR (write %s)", s, netip.PrefixFrom(a, a.BitLen()))
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not a CIDR (such as 10.0.0.0/8 or 2001:db8::/32)", s)
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("%q mixes IPv4 and IPv6 (write an IPv4 CIDR)", s)
		}
		return netip.Prefix{}, fmt.Errorf("%q is IPv4 inside IPv6 (write %s)", s, netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Masked())
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has host bits set (write %s for the block or %s for the address)", s, p.Masked(), netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
	}
	if p.String() != s {
		return netip.Prefix{}, fmt.Errorf("%q is not in canonical form (write %s)", s, p)
	}
	return p, nil
}
