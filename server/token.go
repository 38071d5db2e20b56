package server

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/go-lro/lro/internal/base64url"
)

// tokenVersion starts every token, so that a later format can tell.
const tokenVersion = 1

// maxToken bounds what is decoded, in characters; engines' cursors are short.
const maxToken = 4096

var errToken = errors.New("page token does not belong to this list")

// sealer makes page tokens of cursors (AIP-158): unreadable, unforgeable, and
// of use only with the arguments they were made for.
type sealer struct {
	aead cipher.AEAD
}

// newSealer uses key, or a random one when it is nil.
func newSealer(key []byte) (sealer, error) {
	if key == nil {
		key = make([]byte, 32)
		rand.Read(key) // never fails, see its documentation
	}
	sum := sha256.Sum256(append([]byte("lro page token\x00"), key...))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		return sealer{}, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return sealer{}, fmt.Errorf("make cipher: %w", err)
	}
	return sealer{aead: aead}, nil
}

func (s sealer) seal(cursor string, args ...string) string {
	sealed := s.aead.Seal([]byte{tokenVersion}, nil, []byte(cursor), bind(args))
	return base64url.Encode(sealed)
}

func (s sealer) open(token string, args ...string) (string, error) {
	if len(token) > maxToken {
		return "", errToken
	}
	sealed, err := base64url.Decode(token)
	if err != nil || len(sealed) == 0 || sealed[0] != tokenVersion {
		return "", errToken
	}
	cursor, err := s.aead.Open(nil, nil, sealed[1:], bind(args))
	if err != nil {
		return "", errToken
	}
	return string(cursor), nil
}

// bind makes one text of several without a way to confuse them.
func bind(args []string) []byte {
	return fmt.Appendf(nil, "%q", args)
}
