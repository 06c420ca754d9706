package profile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// metadataPort is where the services of [metadataAddresses] listen.
const metadataPort = 80

// metadataReachable warns of a rule that lets Pods out to so much that the metadata
// service of a cloud is among it, which hands out the identity of the node. A rule for
// the address alone is meant.
func (p *parser) metadataReachable(field string, egress []plan.NetworkRule) {
	for i, r := range egress {
		if !covers(r.Ports, metadataPort) {
			continue
		}
		at := fmt.Sprintf("%s.egress[%d].to", field, i)
		if r.Peer.Anywhere {
			p.Warn(at+".anywhere", "metadata-reachable", "write two rules, to: {cidr: 0.0.0.0/0, except: [169.254.169.254/32]} and to: {cidr: ::/0, except: [fd00:ec2::254/128]}; or allow only the ports that are needed",
				"anywhere includes the metadata service of a cloud, which hands out the identity of the node")
		} else if reached := metadataIn(r.Peer); len(reached) > 0 {
			p.Warn(at+".cidr", "metadata-reachable", "add except: ["+strings.Join(reached, ", ")+"], or allow only the ports that are needed",
				"%s includes the metadata service of a cloud, which hands out the identity of the node", r.Peer.CIDR)
		}
	}
}

// metadataIn returns the metadata services that a peer includes beside other addresses,
// each as a block.
func metadataIn(peer plan.Peer) []string {
	block, err := netip.ParsePrefix(peer.CIDR)
	if err != nil || block.IsSingleIP() {
		return nil
	}
	var reached []string
	for _, address := range metadataAddresses(block) {
		excepted := slices.ContainsFunc(peer.Except, func(except string) bool {
			hole, err := netip.ParsePrefix(except)
			return err == nil && hole.Contains(address)
		})
		if block.Contains(address) && !excepted {
			reached = append(reached, netip.PrefixFrom(address, address.BitLen()).String())
		}
	}
	return reached
}

// metadataAddresses returns what clouds serve metadata on. Azure and Alibaba Cloud use
// addresses that a network of another cloud may have for something else: they count
// only in a block that is the internet.
func metadataAddresses(block netip.Prefix) []netip.Addr {
	addresses := []netip.Addr{netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("fd00:ec2::254")}
	if block.Bits() < 8 {
		addresses = append(addresses, netip.MustParseAddr("168.63.129.16"), netip.MustParseAddr("100.100.100.200"))
	}
	return addresses
}
