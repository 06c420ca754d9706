package controlplane

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

const loopback = "127.0.0.1"

// ports returns free loopback ports, each only once.
type ports struct{ taken map[int]bool }

// next returns a free port. Another program can take the port before our process does;
// our process then fails to start with an error.
func (p *ports) next() (int, error) {
	for range 100 {
		l, err := net.Listen("tcp", loopback+":0")
		if err != nil {
			return 0, fmt.Errorf("finding a free port: %w", err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return 0, err
		}
		if !p.taken[port] {
			if p.taken == nil {
				p.taken = map[int]bool{}
			}
			p.taken[port] = true
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port on %s", loopback)
}

// take returns n ports.
func (p *ports) take(n int) ([]int, error) {
	var list []int
	for range n {
		port, err := p.next()
		if err != nil {
			return nil, err
		}
		list = append(list, port)
	}
	return list, nil
}

// address returns the address of a loopback port.
func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// probe returns a check of a health endpoint. The answer is not secret, so the certificate
// is not verified.
func probe(url string) func(context.Context) error {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(io.LimitReader(res.Body, 4096))
		if err != nil {
			return err
		}
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s: %s", url, res.Status, body)
		}
		return nil
	}
}
