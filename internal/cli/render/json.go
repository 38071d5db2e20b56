package render

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro/internal/cli/dial"
	"github.com/go-lro/lro/internal/cli/term"
)

// JSON is an operation for programs; see docs/cli_json.md.
type JSON struct {
	Name            string          `json:"name"`
	Done            bool            `json:"done"`
	State           string          `json:"state"`
	Kind            string          `json:"kind,omitempty"`
	Target          string          `json:"target,omitempty"`
	CancelRequested bool            `json:"cancelRequested,omitempty"`
	Progress        *JSONProgress   `json:"progress,omitempty"`
	Message         string          `json:"message,omitempty"`
	CreateTime      *time.Time      `json:"createTime,omitempty"`
	StartTime       *time.Time      `json:"startTime,omitempty"`
	UpdateTime      *time.Time      `json:"updateTime,omitempty"`
	EndTime         *time.Time      `json:"endTime,omitempty"`
	Metadata        json.RawMessage `json:"metadata,omitempty"`
	Response        json.RawMessage `json:"response,omitempty"`
	Error           *JSONError      `json:"error,omitempty"`
}

// JSONProgress is the progress of an operation.
type JSONProgress struct {
	Percent *int   `json:"percent,omitempty"`
	Done    int64  `json:"done"`
	Total   int64  `json:"total,omitempty"`
	Unit    string `json:"unit,omitempty"`
	Message string `json:"message,omitempty"`
}

// JSONError is a google.rpc.Status.
type JSONError struct {
	Code    int32             `json:"code"`
	Status  string            `json:"status"`
	Message string            `json:"message"`
	Details []json.RawMessage `json:"details,omitempty"`
}

// JSON returns the operation for programs.
func (o *Operation) JSON(ctx context.Context) *JSON {
	j := &JSON{
		Name: o.Proto.GetName(), Done: o.Proto.GetDone(), State: o.State, Kind: o.Kind, Target: o.Target,
		CancelRequested: o.CancelRequested, Message: o.Message,
		CreateTime: when(o.Created), StartTime: when(o.Started), UpdateTime: when(o.Updated), EndTime: when(o.Ended),
	}
	if p := o.Progress; p.Percent >= 0 || p.Done > 0 || p.Total > 0 || p.Text != "" {
		j.Progress = &JSONProgress{Done: p.Done, Total: p.Total, Unit: p.Unit, Message: p.Text}
		if p.Percent >= 0 {
			j.Progress.Percent = new(p.Percent)
		}
	}
	if m := o.Proto.GetMetadata(); m != nil {
		j.Metadata = o.types.JSON(ctx, m)
	}
	if !o.Proto.GetDone() {
		return j
	}
	if r := o.Proto.GetResponse(); r != nil {
		j.Response = o.types.JSON(ctx, r)
	}
	if e := o.Proto.GetError(); e != nil {
		j.Error = &JSONError{Code: e.GetCode(), Status: dial.CodeName(codes.Code(e.GetCode())), Message: e.GetMessage()}
		for _, d := range e.GetDetails() {
			j.Error.Details = append(j.Error.Details, o.types.JSON(ctx, d))
		}
	}
	return j
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// WriteJSON writes v as one line that no terminal acts upon.
func WriteJSON(w io.Writer, v any) error {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(term.CleanJSON(line.Bytes()))
	return err
}
