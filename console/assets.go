package console

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"net/http"
	"path"
	"strings"
)

//go:embed assets
var assetFiles embed.FS

// asset is a file that pages load.
type asset struct {
	url  string // relative to the console's pages; changes with the content
	typ  string
	body []byte
}

// assets are the files, by the name they have here and by that in their URL.
var assets = loadAssets()

func loadAssets() map[string]asset {
	files, err := assetFiles.ReadDir("assets")
	if err != nil {
		panic(fmt.Sprintf("console: read embedded assets: %v", err))
	}
	all := make(map[string]asset, 2*len(files))
	for _, f := range files {
		body, err := assetFiles.ReadFile("assets/" + f.Name())
		if err != nil {
			panic(fmt.Sprintf("console: read embedded asset: %v", err))
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(f.Name())
		versioned := strings.TrimSuffix(f.Name(), ext) + "." + base64.RawURLEncoding.EncodeToString(sum[:9]) + ext
		a := asset{url: "assets/" + versioned, typ: assetType(ext), body: body}
		all[f.Name()], all[versioned] = a, a
	}
	return all
}

// assetType does not ask the machine, whose tables differ.
func assetType(ext string) string {
	switch ext {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	panic(fmt.Sprintf("console: asset with extension %q", ext))
}

// assetURL is where a page finds a file.
func assetURL(name string) (string, error) {
	a, ok := assets[name]
	if !ok {
		return "", fmt.Errorf("no asset %q", name)
	}
	return a.url, nil
}

// version is the same as long as pages and their script fit each other.
func version() string { return assets["console.js"].url + assets["console.css"].url }

func (h *Handler) serveAsset(w http.ResponseWriter, r *http.Request) {
	if !h.allow(w, r, Access{Action: View}) {
		return
	}
	a, ok := assets[r.PathValue("file")]
	if !ok {
		h.serveNothing(w, r)
		return
	}
	w.Header().Set("Content-Type", a.typ)
	if r.PathValue("file") == path.Base(a.url) {
		w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	_, _ = w.Write(a.body) // the viewer has gone if it fails
}
