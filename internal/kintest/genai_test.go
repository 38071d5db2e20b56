package kintest

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"google.golang.org/genai"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/lroadapt"
	"github.com/go-lro/lro/lrotest"
)

// newGenAI returns Gen AI's own client of what mux serves.
func newGenAI(t *testing.T, mux *http.ServeMux) *genai.Client {
	t.Helper()
	web := lrotest.NewHTTPServer(mux)
	t.Cleanup(web.Close)
	return must(genai.NewClient(t.Context(), &genai.ClientConfig{
		APIKey: "key", Backend: genai.BackendGeminiAPI, HTTPClient: web.Client(), HTTPOptions: genai.HTTPOptions{BaseURL: web.URL},
	}))
}

// wait resumes an operation and returns its result.
func wait[Op, R any](ctx context.Context, client *lroadapt.Client[Op, R], name string) (R, error) {
	op, err := client.Resume(name)
	if err != nil {
		var none R
		return none, err
	}
	return op.Wait(ctx)
}

func TestGenAIVideos(t *testing.T) {
	t.Parallel()
	const name = "models/veo/operations/op-1"
	uri := func(r *genai.GenerateVideosResponse, err error) (string, error) {
		if err != nil {
			return "", err
		}
		return r.GeneratedVideos[0].Video.URI, nil
	}
	want := expected{name, "https://example.com/video", codes.InvalidArgument, "unsafe prompt"}
	testRecipe(t, want, func(t *testing.T, s *script) recipe {
		mux := http.NewServeMux()
		mux.HandleFunc("POST /v1beta/models/veo:predictLongRunning", func(w http.ResponseWriter, _ *http.Request) {
			reply(w, http.StatusOK, `{"name": "`+name+`"}`)
		})
		mux.HandleFunc("GET /v1beta/"+name, func(w http.ResponseWriter, _ *http.Request) {
			s.serve(w, name, map[answer]string{
				running:   `{"name": "` + name + `", "metadata": {"progressPercent": 40}}`,
				succeeded: `{"name": "` + name + `", "done": true, "response": {"generateVideoResponse": {"generatedSamples": [{"video": {"uri": "` + want.result + `"}}]}}}`,
				failed:    `{"name": "` + name + `", "done": true, "error": {"code": 3, "message": "unsafe prompt"}}`,
			})
		})
		client := newGenAI(t, mux)
		videos := genaiVideos(client)
		return recipe{
			start: func(ctx context.Context) (string, error) {
				return uri(generateVideo(ctx, client, "veo", &genai.GenerateVideosSource{Prompt: "a cat"}))
			},
			resume: func(ctx context.Context, name string) (string, error) {
				return uri(wait(ctx, videos, name))
			},
		}
	})
}

func TestGenAIUploads(t *testing.T) {
	t.Parallel()
	const name = "fileSearchStores/s/upload/operations/op-1"
	want := expected{name, "fileSearchStores/s/documents/d", codes.ResourceExhausted, "the store is full"}
	testRecipe(t, want, func(t *testing.T, s *script) recipe {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /v1beta/"+name, func(w http.ResponseWriter, _ *http.Request) {
			s.serve(w, name, map[answer]string{
				running:   `{"name": "` + name + `"}`,
				succeeded: `{"name": "` + name + `", "done": true, "response": {"documentName": "` + want.result + `"}}`,
				failed:    `{"name": "` + name + `", "done": true, "error": {"code": 8, "message": "the store is full"}}`,
			})
		})
		uploads := genaiUploads(newGenAI(t, mux))
		document := func(ctx context.Context, name string) (string, error) {
			response, err := wait(ctx, uploads, name)
			if err != nil {
				return "", err
			}
			return response.DocumentName, nil
		}
		return recipe{
			start:  func(ctx context.Context) (string, error) { return document(ctx, name) }, // uploads are no single request
			resume: document,
		}
	})
}

func TestGenAIBatches(t *testing.T) {
	t.Parallel()
	const (
		name  = "batches/b-1"
		state = `{"name": "` + name + `", "metadata": {"model": "models/gemini", "state": "BATCH_STATE_`
	)
	newBatches := func(t *testing.T, s *script, states map[answer]string) *genai.Client {
		mux := http.NewServeMux()
		mux.HandleFunc("POST /v1beta/models/gemini:batchGenerateContent", func(w http.ResponseWriter, _ *http.Request) {
			reply(w, http.StatusOK, state+`PENDING"}}`)
		})
		var cancelled atomic.Bool
		mux.HandleFunc("POST /v1beta/"+name+":cancel", func(w http.ResponseWriter, _ *http.Request) {
			cancelled.Store(true)
			reply(w, http.StatusOK, `{}`)
		})
		mux.HandleFunc("GET /v1beta/"+name, func(w http.ResponseWriter, _ *http.Request) {
			if cancelled.Load() {
				states = map[answer]string{running: state + `CANCELLED"}}`}
			}
			s.serve(w, name, states)
		})
		return newGenAI(t, mux)
	}
	states := map[answer]string{
		running:   state + `RUNNING"}}`,
		succeeded: state + `SUCCEEDED", "output": {"responsesFile": "files/result"}}}`,
		failed:    state + `FAILED"}}`, // the client drops the error of a job of the Gemini API
	}
	want := expected{name, "files/result", codes.Unknown, "JOB_STATE_FAILED"}
	testRecipe(t, want, func(t *testing.T, s *script) recipe {
		client := newBatches(t, s, states)
		batches := genaiBatches(client)
		file := func(ctx context.Context, name string) (string, error) {
			job, err := wait(ctx, batches, name)
			if err != nil {
				return "", err
			}
			return job.Dest.FileName, nil
		}
		return recipe{
			start: func(ctx context.Context) (string, error) {
				job, err := client.Batches.Create(ctx, "gemini", &genai.BatchJobSource{FileName: "files/requests"}, nil)
				if err != nil {
					return "", err
				}
				return file(ctx, job.Name)
			},
			resume: file,
		}
	})
	t.Run("cancel", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			client := newBatches(t, &script{steps: []answer{running}}, states)
			op := must(genaiBatches(client).Resume(name))
			if _, err := op.CancelAndWait(t.Context()); status.Code(err) != codes.Canceled {
				t.Errorf("got %v, want CANCELLED", err)
			}
		})
	})
}

// States of jobs that a fake of the Gemini API does not get through its client.
func TestGenAIJobStates(t *testing.T) {
	t.Parallel()
	type outcome struct {
		Done bool
		Code codes.Code
	}
	for state, want := range map[genai.JobState]outcome{
		genai.JobStateQueued:             {false, codes.OK},
		genai.JobStatePaused:             {false, codes.OK},
		genai.JobStateCancelling:         {false, codes.OK},
		genai.JobStateUpdating:           {false, codes.OK},
		"JOB_STATE_OF_LATER":             {false, codes.OK},
		genai.JobStateSucceeded:          {true, codes.OK},
		genai.JobStatePartiallySucceeded: {true, codes.OK},
		genai.JobStateFailed:             {true, codes.Internal},
		genai.JobStateCancelled:          {true, codes.Canceled},
		genai.JobStateExpired:            {true, codes.DeadlineExceeded},
	} {
		s := jobState(state, status.Error(codes.Internal, "broken"), &genai.TuningJob{Name: "n"})
		if got := (outcome{s.Done, status.Code(s.Err)}); got != want {
			t.Errorf("%s: %+v, want %+v", state, got, want)
		}
		if succeeded := s.Done && s.Err == nil; succeeded != (s.Result != nil) {
			t.Errorf("%s: result %v", state, s.Result)
		}
	}
}
