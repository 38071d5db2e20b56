package console

import (
	"net"
	"net/http"
	"strings"

	"github.com/go-lro/lro/console/internal/tree"
)

// command is a line for a shell.
type command struct {
	What string
	Line string
}

// gap stands where the console does not know the endpoint.
const gap = "HOST:PORT"

// seenBy fills in what depends on how the viewer reaches the console.
func (e Endpoint) seenBy(r *http.Request) Endpoint {
	if !e.SameHost {
		return e
	}
	e.Address = r.Host
	if r.URL.Scheme == "" {
		return e
	}
	// A middleware has said how the viewer reached the proxy before it.
	e.Plaintext = r.URL.Scheme == "http"
	if _, _, err := net.SplitHostPort(r.Host); err != nil {
		port := "443"
		if e.Plaintext {
			port = "80"
		}
		e.Address = net.JoinHostPort(strings.Trim(r.Host, "[]"), port)
	}
	return e
}

// commandsOf returns the commands with which an operation can be looked at
// from a terminal.
func commandsOf(e Endpoint, name string, running bool) []command {
	quoted := shellQuote(name)
	at := "--url " + shellQuote(e.URL)
	if e.URL == "" {
		address := e.Address
		if address == "" {
			address = gap
		}
		at = "--addr " + shellQuote(address)
		if e.Plaintext {
			at += " --plaintext"
		}
	}
	commands := []command{{"View it", "lro get " + at + " " + quoted}}
	if running {
		commands = append(commands,
			command{"Wait for its end", "lro wait " + at + " " + quoted},
			command{"Cancel it", "lro cancel " + at + " " + quoted})
	}
	if e.URL == "" {
		commands = append(commands, command{"Without lro", grpcurl(e, name)})
	}
	return commands
}

func grpcurl(e Endpoint, name string) string {
	address := e.Address
	if address == "" {
		address = gap
	}
	flags := ""
	if e.Plaintext {
		flags = "-plaintext "
	}
	request := `{"name": ` + tree.Quote(name) + `}`
	return "grpcurl " + flags + "-d " + shellQuote(request) + " " + shellQuote(address) + " google.longrunning.Operations/GetOperation"
}

// shellQuote makes one word of text for a POSIX shell.
func shellQuote(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:@%+,=", r)
	}
	if text != "" && strings.TrimFunc(text, plain) == "" && text[0] != '-' {
		return text
	}
	return "'" + strings.ReplaceAll(tree.Line(text), "'", `'\''`) + "'"
}
