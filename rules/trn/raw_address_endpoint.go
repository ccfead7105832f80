package trn

import (
	_ "embed"
	"net/netip"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed raw_address_endpoint.md
var rawAddressEndpointPage string

// RawAddressEndpoint flags addresses where a name is expected.
var RawAddressEndpoint = rules.Rule{
	ID:         "raw-address-endpoint",
	Title:      "Endpoint is a bare address",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{918, 350},
	Covers:     []string{"TRN-017"},
	Page:       rawAddressEndpointPage,
	Check:      checkRawAddressEndpoint,
}

func checkRawAddressEndpoint(pass *rules.Pass) {
	places(pass, func(p place) {
		for _, e := range endpoints(p.text.Raw()) {
			if e.scheme == "http" || e.scheme == "https" || e.scheme == "ws" || e.scheme == "wss" {
				rawAddress(pass, p, e)
			}
		}
	})
}

func rawAddress(pass *rules.Pass, p place, e endpoint) {
	host := analyzers.Untrusted(e.host)
	addr, encoded, isAddress := address(e.host)
	var f rules.Finding
	switch {
	case metadataNames[strings.TrimSuffix(e.host, ".")] || isAddress && metadata[addr]:
		f = p.finding(e.start, e.end, e.host,
			"%s is given %q, where a cloud machine hands out its own credentials. Remove the address.", p.who(), host)
		f.Severity, f.Confidence = rules.High, rules.Certain
	case encoded:
		f = p.finding(e.start, e.end, e.host,
			"%s is given %q, a disguised spelling of the address %s. Write the host's name.", p.who(), host, addr)
		if reachOf(e.host) != loopback {
			f.Severity = rules.High
		}
	case isAddress && reachOf(e.host) == public && !documentation(addr):
		f = p.finding(e.start, e.end, e.host,
			"%s is given the bare address %q: no certificate or registration says whose it is. Use a name with a certificate.", p.who(), host)
		if !p.remote {
			f.Severity = rules.Low
		}
	case anyAddress(e.host):
		f = p.finding(e.start, e.end, e.host,
			"%s is given %q, a name that stands for whatever address is written in it. Use a name of the operator's own.", p.who(), host)
	default:
		return
	}
	pass.Report(f)
}

// metadata is where cloud machines are told who they are: AWS, Azure, GCP,
// Oracle and DigitalOcean; AWS over IPv6 and for containers; Alibaba.
var metadata = map[netip.Addr]bool{
	netip.AddrFrom4([4]byte{169, 254, 169, 254}): true,
	netip.AddrFrom4([4]byte{169, 254, 170, 2}):   true,
	netip.AddrFrom4([4]byte{100, 100, 100, 200}): true,
	netip.MustParseAddr("fd00:ec2::254"):         true,
}

var metadataNames = map[string]bool{"metadata.google.internal": true, "metadata.goog": true, "instance-data": true}

// documentation reports whether the address is for examples alone (RFC 5737,
// RFC 3849).
func documentation(addr netip.Addr) bool {
	for _, p := range examples {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

var examples = []netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32"),
}

// anyAddress knows the services that answer for every address written into a
// name.
func anyAddress(host string) bool {
	for _, tail := range []string{".nip.io", ".sslip.io", ".xip.io", ".traefik.me", ".rbndr.us"} {
		if strings.HasSuffix(host, tail) && reachOf(strings.TrimSuffix(host, tail)) != loopback && !strings.HasPrefix(host, "127.") {
			return true
		}
	}
	return false
}
