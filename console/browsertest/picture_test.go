package browsertest

import (
	"bytes"
	"cmp"
	"flag"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/go-lro/lro/console"
	"github.com/go-lro/lro/lropb"
)

var update = flag.Bool("update", false, "write the pictures in docs anew")

// pictures is where the documents have them.
const pictures = "../../docs/console"

// TestScreenshots takes a picture of each page. With -update they become those
// of the documents.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	s := newSite(t, siteOptions{config: console.Config{Title: "Library", Endpoint: console.Endpoint{Address: "library.example:443"}}})
	s.use(sc)
	b := newTab(t, s)
	b.locale("en-GB")
	tests := []struct {
		name, path    string
		width, height int64
		dark          bool
	}{
		{"list", "/", 1200, 760, false},
		{"list-dark", "/", 1200, 760, true},
		{"operation", page(sc.first(lropb.OperationMetadata_RUNNING)), 1200, 860, false},
		{"failed", page(sc.first(lropb.OperationMetadata_FAILED)), 1200, 860, false},
		{"overview", "/overview", 1200, 1080, false},
		{"phone", "/", 390, 780, false},
	}
	for _, tt := range tests {
		b.dark(tt.dark)
		b.do(chromedp.EmulateViewport(tt.width, tt.height))
		b.open(tt.path)
		b.wait("document.querySelector('#live').dataset.state === 'live'")
		shot, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		small := shrink(t, shot)
		if len(small) < 5_000 || len(small) > 120_000 {
			t.Errorf("picture %s has %d bytes", tt.name, len(small))
		}
		if !*update {
			continue
		}
		if err := os.MkdirAll(pictures, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(pictures, tt.name+".png"), small, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// shrink makes a PNG of at most 256 colours: enough for pages of few colours
// and their soft edges.
func shrink(t *testing.T, shot []byte) []byte {
	t.Helper()
	src, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	bounds := src.Bounds()
	at := func(x, y int) color.RGBA {
		r, g, b, _ := src.At(x, y).RGBA()
		return color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 255}
	}
	found := map[color.RGBA]int{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			found[at(x, y)]++
		}
	}
	palette := paletteOf(found)
	dst := image.NewPaletted(bounds, palette)
	index := map[color.RGBA]uint8{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := at(x, y)
			i, ok := index[c]
			if !ok {
				i = uint8(palette.Index(c))
				index[c] = i
			}
			dst.SetColorIndex(x, y, i)
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, dst); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// paletteOf takes of colours that are close to each other the most frequent.
func paletteOf(found map[color.RGBA]int) color.Palette {
	var all []color.RGBA
	for c := range found {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b color.RGBA) int { return cmp.Compare(found[b], found[a]) })
	var palette color.Palette
	near := map[color.RGBA]bool{}
	for _, c := range all {
		group := color.RGBA{c.R / 16, c.G / 16, c.B / 16, 0}
		if len(palette) < 256 && (!near[group] || len(palette) < 16) {
			near[group] = true
			palette = append(palette, c)
		}
	}
	return palette
}
