package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Files are the paths of PEM files that [Make] has written.
type Files struct {
	CA                    string // certificate of the authority
	ServerCert, ServerKey string // for 127.0.0.1 and localhost
	ClientCert, ClientKey string
	OtherCert, OtherKey   string // of another client
}

// Make writes an authority and three certificates of it to a folder. They are
// good for an hour.
func Make(dir string) (Files, error) {
	caKey, err := newKey()
	if err != nil {
		return Files{}, err
	}
	ca := template("test authority")
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	f := Files{
		CA:         filepath.Join(dir, "ca.pem"),
		ServerCert: filepath.Join(dir, "server.pem"), ServerKey: filepath.Join(dir, "server.key"),
		ClientCert: filepath.Join(dir, "client.pem"), ClientKey: filepath.Join(dir, "client.key"),
		OtherCert: filepath.Join(dir, "other.pem"), OtherKey: filepath.Join(dir, "other.key"),
	}
	if err := sign(f.CA, "", ca, ca, caKey, caKey); err != nil {
		return Files{}, err
	}
	server := template("test server")
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	server.DNSNames, server.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	if err := issue(f.ServerCert, f.ServerKey, server, ca, caKey); err != nil {
		return Files{}, err
	}
	client := template("test client")
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if err := issue(f.ClientCert, f.ClientKey, client, ca, caKey); err != nil {
		return Files{}, err
	}
	client.Subject.CommonName = "other client"
	return f, issue(f.OtherCert, f.OtherKey, client, ca, caKey)
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func template(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Minute),
		NotAfter:     now.Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

func issue(certPath, keyPath string, c, ca *x509.Certificate, caKey *ecdsa.PrivateKey) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	return sign(certPath, keyPath, c, ca, key, caKey)
}

// sign writes a certificate and, where keyPath is not empty, its key.
func sign(certPath, keyPath string, c, ca *x509.Certificate, key, caKey *ecdsa.PrivateKey) error {
	der, err := x509.CreateCertificate(rand.Reader, c, ca, &key.PublicKey, caKey)
	if err != nil {
		return fmt.Errorf("sign %q: %w", certPath, err)
	}
	if err := write(certPath, "CERTIFICATE", der); err != nil || keyPath == "" {
		return err
	}
	if der, err = x509.MarshalECPrivateKey(key); err != nil {
		return err
	}
	return write(keyPath, "EC PRIVATE KEY", der)
}

func write(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
