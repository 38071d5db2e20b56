package host

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"

	"google.golang.org/grpc/credentials"

	"github.com/go-lro/lro/internal/cli/flag"
)

// TLSFiles are the files of a server's certificates, PEM.
type TLSFiles struct {
	Cert, Key string // its own
	ClientCA  string // those that clients' certificates must be of; empty asks for none
}

// TLS is a configuration that is read again when its files change.
type TLS struct {
	certs *fresh[configs]
}

// configs are the configurations of the two servers of a port.
type configs struct {
	grpc, other *tls.Config
}

// TLS returns the configuration of the files, nil without a certificate. The
// logger hears when they are read again.
func (f TLSFiles) TLS(logger *slog.Logger) (*TLS, error) {
	if f.Cert == "" {
		if f.ClientCA != "" {
			return nil, errors.New("--client-ca needs --cert and --key")
		}
		return nil, nil
	}
	paths := []string{f.Cert, f.Key}
	if f.ClientCA != "" {
		paths = append(paths, f.ClientCA)
	}
	c, err := newFresh(f.read, logger, paths...)
	if err != nil {
		return nil, err
	}
	return &TLS{c}, nil
}

func (f TLSFiles) read() (configs, error) {
	pair, err := flag.KeyPair("--cert and --key", f.Cert, f.Key)
	if err != nil {
		return configs{}, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if f.ClientCA != "" {
		if c.ClientCAs, err = flag.CertPool("--client-ca", f.ClientCA); err != nil {
			return configs{}, err
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	grpc, other := c.Clone(), c.Clone()
	grpc.NextProtos, other.NextProtos = []string{"h2"}, []string{"http/1.1"}
	return configs{grpc, other}, nil
}

// config gives HTTP/2 to those who speak nothing else, which is gRPC, and
// HTTP/1.1 to all others: net/http has them, and browsers offer both.
func (t *TLS) config() *tls.Config {
	return &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		c := t.certs.get()
		if slices.Contains(hello.SupportedProtos, "h2") && !slices.Contains(hello.SupportedProtos, "http/1.1") {
			return c.grpc, nil
		}
		return c.other, nil
	}}
}

// handshaken are credentials for connections that are secure already.
type handshaken struct{}

// ClientHandshake implements [credentials.TransportCredentials].
func (handshaken) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("credentials of a server")
}

// ServerHandshake implements [credentials.TransportCredentials].
func (handshaken) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secure, ok := conn.(*tls.Conn)
	if !ok {
		return nil, nil, fmt.Errorf("connection is a %T, not TLS", conn)
	}
	return conn, credentials.TLSInfo{
		State:          secure.ConnectionState(),
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}, nil
}

// Info implements [credentials.TransportCredentials].
func (handshaken) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone implements [credentials.TransportCredentials].
func (h handshaken) Clone() credentials.TransportCredentials { return h }

// OverrideServerName implements [credentials.TransportCredentials].
func (handshaken) OverrideServerName(string) error { return nil }
