package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Files of the plots.
const (
	LatenessPlot = "lateness.svg"
	MemoryPlot   = "memory.svg"
)

// palette has colours that remain apart for the colour-blind (Okabe and Ito).
var palette = []color.Color{
	color.RGBA{0x00, 0x72, 0xb2, 0xff},
	color.RGBA{0xd5, 0x5e, 0x00, 0xff},
	color.RGBA{0x00, 0x9e, 0x73, 0xff},
	color.RGBA{0xcc, 0x79, 0xa7, 0xff},
	color.RGBA{0xe6, 0x9f, 0x00, 0xff},
	color.RGBA{0x56, 0xb4, 0xe9, 0xff},
	color.RGBA{0x00, 0x00, 0x00, 0xff},
}

// series is a line of a plot.
type series struct {
	name   string
	points plotter.XYs
}

// Plots draws all plots of the report into a folder.
func (r *Report) Plots(dir string) error {
	var late, memory []series
	looks := r.looks()
	for _, l := range r.Lateness {
		if l.Late.N > 0 {
			late = add(late, l.Client, l.Nominal, l.Late.Median)
		}
	}
	for _, m := range r.Memory {
		if m.Resident > 0 {
			memory = add(memory, m.Client, float64(m.Operations), float64(m.Resident)/(1<<20))
		}
	}
	for _, p := range []struct {
		file, title, x, y string
		lines             []series
		xTick, yTick      func(float64) string
	}{
		{LatenessPlot, "How late the end is noticed (median)", "operation takes", "late", late, seconds, seconds},
		{MemoryPlot, "Memory of a process that waits", "operations", "resident", memory,
			func(v float64) string { return count(int64(math.Round(v))) },
			func(v float64) string { return digits(v) + " MiB" }},
	} {
		if len(p.lines) == 0 {
			continue
		}
		drawn := plot.New()
		drawn.Title.Text, drawn.X.Label.Text, drawn.Y.Label.Text = p.title, p.x, p.y
		drawn.X.Scale, drawn.Y.Scale = plot.LogScale{}, plot.LogScale{}
		drawn.X.Tick.Marker, drawn.Y.Tick.Marker = ticks{p.xTick, at(p.lines)}, ticks{p.yTick, nil}
		drawn.BackgroundColor = color.White
		style(drawn)
		if err := lines(drawn, p.lines, looks); err != nil {
			return fmt.Errorf("draw %s: %w", p.file, err)
		}
		fit(drawn)
		if err := save(drawn, filepath.Join(dir, p.file)); err != nil {
			return fmt.Errorf("draw %s: %w", p.file, err)
		}
	}
	return nil
}

// look is how the line of a client looks.
type look struct {
	colour color.Color
	glyph  draw.GlyphDrawer
	dashes []vg.Length
}

// looks gives each client one, the same in all plots. The lines on top are
// dashed, so that those below can be seen.
func (r *Report) looks() map[string]look {
	all := make(map[string]look)
	glyphs := []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.TriangleGlyph{}}
	give := func(client string) {
		if _, ok := all[client]; ok {
			return
		}
		n := len(all)
		l := look{colour: palette[n%len(palette)], glyph: glyphs[n%len(glyphs)]}
		if n > 2 {
			l.dashes = []vg.Length{vg.Points(5), vg.Points(4)}
		}
		all[client] = l
	}
	for _, l := range r.Lateness {
		give(l.Client)
	}
	for _, m := range r.Memory {
		give(m.Client)
	}
	return all
}

// save writes a plot in which text has no serifs also where the font that it
// was laid out for is missing.
func save(p *plot.Plot, file string) error {
	w, err := p.WriterTo(18*vg.Centimeter, 11*vg.Centimeter, "svg")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if _, err := w.WriteTo(&b); err != nil {
		return err
	}
	svg := bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
	return os.WriteFile(file, svg, 0o644)
}

func add(all []series, name string, x, y float64) []series {
	i := slices.IndexFunc(all, func(s series) bool { return s.name == name })
	if i < 0 {
		i = len(all)
		all = append(all, series{name: name})
	}
	all[i].points = append(all[i].points, plotter.XY{X: x, Y: y})
	return all
}

// at returns the instants at which the lines have points.
func at(all []series) []float64 {
	var xs []float64
	for _, s := range all {
		for _, p := range s.points {
			xs = append(xs, p.X)
		}
	}
	slices.Sort(xs)
	return slices.Compact(xs)
}

// fit sets the ends of the axes: the x axis has some room, the y axis begins and
// ends at a power of ten.
func fit(p *plot.Plot) {
	p.X.Min, p.X.Max = p.X.Min/1.3, p.X.Max*2.5
	p.Y.Min = math.Pow(10, math.Floor(math.Log10(p.Y.Min)))
	p.Y.Max = math.Pow(10, math.Ceil(math.Log10(p.Y.Max*1.01)))
}

// style has all text in a font without serifs.
func style(p *plot.Plot) {
	for _, f := range []*font.Font{&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font,
		&p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font} {
		f.Variant = "Sans"
		f.Size = vg.Points(9)
	}
	p.Title.TextStyle.Font.Size = vg.Points(11)
	p.Title.Padding, p.X.Label.Padding, p.Y.Label.Padding = vg.Points(6), vg.Points(4), vg.Points(4)
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.ThumbnailWidth, p.Legend.Padding, p.Legend.XOffs = vg.Points(20), vg.Points(2), vg.Points(6)
}

func lines(p *plot.Plot, all []series, looks map[string]look) error {
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{0xe0}, color.Gray{0xe0}
	p.Add(grid)
	for _, s := range all {
		line, points, err := plotter.NewLinePoints(s.points)
		if err != nil {
			return err
		}
		l := looks[s.name]
		line.Color, points.Color = l.colour, l.colour
		line.Width, line.Dashes = vg.Points(1.5), l.dashes
		points.Radius, points.Shape = vg.Points(3), l.glyph
		p.Add(line, points)
		p.Legend.Add(s.name, line, points)
	}
	return nil
}

// ticks marks given values, or the powers of ten if there are none.
type ticks struct {
	label func(float64) string
	at    []float64
}

// Ticks implements plot.Ticker.
func (t ticks) Ticks(low, high float64) []plot.Tick {
	values := t.at
	if values == nil {
		for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
			values = append(values, math.Pow(10, e))
		}
	}
	var all []plot.Tick
	for _, v := range values {
		all = append(all, plot.Tick{Value: v, Label: t.label(v)})
	}
	return all
}
