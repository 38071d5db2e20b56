package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

const (
	// streamLife ends a stream, whose page then opens another: so that a viewer a
	// viewer who may not see it any more is authorized again.
	streamLife = 5 * time.Minute
	// streamBeat is how often something is sent at least, so that a viewer who
	// has gone is noticed, and proxies see that the stream lives.
	streamBeat = 15 * time.Second
	// streamWrite is how long a viewer may take to accept what is sent.
	streamWrite = 10 * time.Second
	// streamGap is the least time between two updates of a page.
	streamGap = 250 * time.Millisecond
)

// stream is the way to one live page: server-sent events.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	sent    map[string]string // the parts as the page has them
}

func newStream(w http.ResponseWriter) *stream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	return &stream{w: w, control: http.NewResponseController(w), sent: map[string]string{}}
}

// send sends an event with v as JSON.
func (s *stream) send(event string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.write(fmt.Sprintf("event: %s\ndata: %s\n\n", event, data))
}

// beat sends nothing that a page would notice.
func (s *stream) beat() error { return s.write(":\n\n") }

func (s *stream) write(text string) error {
	// A server may have a WriteTimeout, meant for answers that end.
	err := s.control.SetWriteDeadline(time.Now().Add(streamWrite))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}

// sendParts sends those parts that are not what the page has already.
func (s *stream) sendParts(parts map[string]string) error {
	changed := map[string]string{}
	for id, html := range parts {
		if s.sent[id] != html {
			s.sent[id], changed[id] = html, html
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return s.send("parts", changed)
}

// hello is the first event of a stream.
type hello struct {
	Version string `json:"version"`         // see version
	Now     int64  `json:"now"`             // time of the console, in milliseconds since 1970
	Every   string `json:"every,omitempty"` // how often the page is made anew; empty where it follows changes
}

func (h *Handler) serveEvents(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	name := ""
	if v.Get("page") == "operation" {
		name = v.Get("name")
	}
	if !h.allow(w, r, Access{Action: View, Name: name}) {
		return
	}
	p := h.livePageOf(v, r)
	if p == nil {
		h.serveProblem(w, r, problem{Status: http.StatusBadRequest, Title: "No such stream", Text: "This address is for the console's own pages."})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), streamLife)
	defer cancel()
	stop := context.AfterFunc(h.closing, cancel)
	defer stop()
	err := h.follow(ctx, newStream(w), p)
	if errors.Is(err, http.ErrNotSupported) {
		h.config.Logger.WarnContext(ctx, "no live pages: a middleware hides http.Flusher", "error", err)
	}
	// Anything else says that the viewer has gone or the stream has ended.
}

// livePageOf returns the page that a stream is for, nil if there is none.
func (h *Handler) livePageOf(v url.Values, r *http.Request) livePage {
	switch v.Get("page") {
	case "list":
		return newLiveList(h, h.viewOf(r), v)
	case "operation":
		return &liveOperation{h: h, r: r, name: v.Get("name")}
	case "overview":
		return &liveOverview{h: h, view: h.viewOf(r), window: windowOf(v.Get("window"))}
	}
	return nil
}
