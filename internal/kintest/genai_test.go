package kintest

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genai"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/go-lro/lro"
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

// waitStruct resumes an operation and returns its result, as a T.
func waitStruct[T any](ctx context.Context, client *lro.Client, name string) (*T, error) {
	op, err := genaiMethod.Resume(client, name)
	if err != nil {
		return nil, err
	}
	done, err := op.Wait(ctx)
	if err != nil {
		return nil, err
	}
	return unpack[T](done)
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
		videos := lro.NewClient(genaiVideos(client))
		return recipe{
			start: func(ctx context.Context) (string, error) {
				return uri(generateVideo(ctx, videos, client.Models, "veo", &genai.GenerateVideosSource{Prompt: "a cat"}))
			},
			resume: func(ctx context.Context, name string) (string, error) {
				return uri(waitStruct[genai.GenerateVideosResponse](ctx, videos, name))
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
		uploads := lro.NewClient(genaiUploads(newGenAI(t, mux)))
		document := func(ctx context.Context, name string) (string, error) {
			response, err := waitStruct[genai.UploadToFileSearchStoreResponse](ctx, uploads, name)
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
		batches := lro.NewClient(genaiBatches{client.Batches})
		file := func(ctx context.Context, name string) (string, error) {
			job, err := waitStruct[genai.BatchJob](ctx, batches, name)
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
			op := must(genaiMethod.Resume(lro.NewClient(genaiBatches{client.Batches}), name))
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
		op, err := jobState("n", state, &spb.Status{Code: int32(codes.Internal)}, &genai.TuningJob{Name: "n"})
		if got := (outcome{op.GetDone(), codes.Code(op.GetError().GetCode())}); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", state, got, err, want)
		}
		if want.Done == (op.Result == nil) {
			t.Errorf("%s: done %t with result %v", state, op.GetDone(), op.Result)
		}
	}
}

// The JSON of a value comes back as it was.
func TestPack(t *testing.T) {
	t.Parallel()
	want := &genai.GenerateVideosResponse{
		GeneratedVideos:       []*genai.GeneratedVideo{{Video: &genai.Video{VideoBytes: []byte{0, 255, 1}, MIMEType: "video/mp4"}}},
		RAIMediaFilteredCount: 2,
	}
	var s structpb.Struct
	if err := must(pack(want)).UnmarshalTo(&s); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, must(unpack[genai.GenerateVideosResponse](&s))); diff != "" {
		t.Errorf("-packed +unpacked:\n%s", diff)
	}
	if none, err := pack((*genai.Video)(nil)); none != nil || err != nil {
		t.Errorf("nil is packed as %v, %v, want nothing", none, err)
	}
}
