package await

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"

	"github.com/go-lro/lro"
)

// maxLearned bounds the file that is read.
const maxLearned = 1 << 20

// memory keeps what a client has learned of a service's operations between
// runs, one file for each service. It is an aid: what cannot be read or written
// is left.
type memory struct {
	path   string // empty for none
	loaded string
}

// recall loads into the client what earlier runs have learned of the service.
func recall(client *lro.Client, dir, target string) *memory {
	if dir == "" {
		return &memory{}
	}
	name := sha256.Sum256([]byte(target))
	m := &memory{path: filepath.Join(dir, "lro", "learned", hex.EncodeToString(name[:16]))}
	f, err := os.Open(m.path)
	if err != nil {
		return m
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxLearned))
	if err != nil || client.SetLearned(string(text)) != nil {
		return m // it is replaced
	}
	m.loaded = string(text)
	return m
}

// keep replaces the file, at once and whole, if something was learned.
func (m *memory) keep(client *lro.Client) {
	text := client.Learned()
	if m.path == "" || text == "" || text == m.loaded {
		return
	}
	dir := filepath.Dir(m.path)
	if os.MkdirAll(dir, 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return
	}
	_, err = f.WriteString(text)
	if closed := f.Close(); err != nil || closed != nil || os.Rename(f.Name(), m.path) != nil {
		_ = os.Remove(f.Name())
	}
}
