package flag

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// CertPool returns the certificates of the PEM file that a flag names.
func CertPool(flag, path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s %q has no PEM certificate", flag, path)
	}
	return pool, nil
}

// KeyPair returns the certificate of two PEM files, and its key. The flags that
// name them are called flags in an error.
func KeyPair(flags, cert, key string) (tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %w", flags, err)
	}
	return pair, nil
}
