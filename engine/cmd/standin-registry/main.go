// Command standin-registry serves three images over plain HTTP on a loopback port: one
// signed with a new key, one with another key, and one unsigned. It prints one line of
// JSON (see served) and exits at the end of stdin. test/e2e starts it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/gatehouse-dev/gatehouse/engine/standin"
)

// served is the output of the program.
type served struct {
	Host      string            `json:"host"`
	PublicKey string            `json:"publicKey"` // PEM, of the key that signed the image signed
	Digests   map[string]string `json:"digests"`   // of HOST/NAME:v1 for signed, foreign and unsigned
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "standin-registry:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var registry standin.Registry
	description := served{Host: listener.Addr().String(), Digests: map[string]string{}}
	for _, name := range []string{"signed", "foreign", "unsigned"} {
		repository := description.Host + "/" + name
		digest, err := registry.Push(repository+":v1", name)
		if err != nil {
			return err
		}
		description.Digests[name] = digest.String()
		signer, err := standin.NewSigner()
		if err != nil {
			return err
		}
		if name == "signed" {
			description.PublicKey = signer.PublicKey
		}
		if name != "unsigned" {
			if err := registry.Sign(repository, digest, digest, signer); err != nil {
				return err
			}
		}
	}
	if err := json.NewEncoder(out).Encode(description); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		listener.Close()
	}()
	if err := http.Serve(listener, &registry); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
