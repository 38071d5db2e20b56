package kintest

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"google.golang.org/genai"
	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lrotest"
)

// newVertex returns Gen AI's own client of what mux serves as Vertex AI.
func newVertex(t *testing.T, mux *http.ServeMux) *genai.Client {
	t.Helper()
	web := lrotest.NewHTTPServer(mux)
	t.Cleanup(web.Close)
	return must(genai.NewClient(t.Context(), &genai.ClientConfig{
		Project: "p", Location: "l", Backend: genai.BackendVertexAI, HTTPClient: web.Client(), HTTPOptions: genai.HTTPOptions{BaseURL: web.URL},
	}))
}

// Vertex AI has another method for videos, which needs the model of the name.
func TestVertexVideos(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const name = "projects/p/locations/l/publishers/google/models/veo/operations/op-1"
		s := &script{steps: []answer{running, unavailable, succeeded}}
		mux := http.NewServeMux()
		mux.HandleFunc("POST /v1beta1/projects/p/locations/l/publishers/google/models/veo:fetchPredictOperation", func(w http.ResponseWriter, _ *http.Request) {
			s.serve(w, name, map[answer]string{
				running:   `{"name": "` + name + `"}`,
				succeeded: `{"name": "` + name + `", "done": true, "response": {"videos": [{"gcsUri": "gs://b/video"}]}}`,
			})
		})
		client := genaiVideos(newVertex(t, mux))
		got, err := wait(t.Context(), client, name)
		if err != nil || len(got.GeneratedVideos) != 1 || got.GeneratedVideos[0].Video.URI != "gs://b/video" {
			t.Errorf("got %+v, %v, want the video", got, err)
		}
	})
}

// Of a job of Vertex AI, the client keeps the error.
func TestVertexBatches(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]struct {
		code    codes.Code
		message string
	}{
		`"JOB_STATE_FAILED", "error": {"code": 8, "message": "no quota"}`:    {codes.ResourceExhausted, "no quota"},
		`"JOB_STATE_FAILED", "error": {"message": "no code"}`:                {codes.Unknown, "no code"},
		`"JOB_STATE_CANCELLED", "error": {"code": 13, "message": "stopped"}`: {codes.Canceled, "stopped"},
		`"JOB_STATE_EXPIRED"`: {codes.DeadlineExceeded, "JOB_STATE_EXPIRED"},
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const name = "projects/p/locations/l/batchPredictionJobs/1"
				mux := http.NewServeMux()
				mux.HandleFunc("GET /v1beta1/"+name, func(w http.ResponseWriter, _ *http.Request) {
					reply(w, http.StatusOK, `{"name": "`+name+`", "state": `+body+`}`)
				})
				client := genaiBatches(newVertex(t, mux))
				_, err := wait(t.Context(), client, name)
				failed, ok := errors.AsType[*lro.OperationError](err)
				if !ok || failed.Code() != want.code || failed.Message() != want.message {
					t.Errorf("got %v, want that it failed with %v: %s", err, want.code, want.message)
				}
			})
		})
	}
}
