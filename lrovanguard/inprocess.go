package lrovanguard

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	spb "google.golang.org/genproto/googleapis/rpc/status"

	"github.com/go-lro/lro/internal/httpcall"
)

// inProcess calls unary methods of a gRPC server on behalf of a call that has come
// in already: with its metadata, peer and ctx. Interceptors run as for any
// other call. It is a grpc.ClientConnInterface.
type inProcess struct{ server http.Handler }

// headerSize is that of the prefix of a gRPC message: whether it is compressed,
// and its length.
const headerSize = 5

// Invoke calls a method. Call options have no effect; headers and trailers of the
// answer become those of the call that has come in.
func (p inProcess) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	message, err := proto.Marshal(args.(proto.Message))
	if err != nil {
		return status.Errorf(codes.Internal, "encode request: %v", err)
	}
	w := &answer{header: http.Header{}}
	p.server.ServeHTTP(w, p.request(ctx, method, frame(message)))
	for key, values := range w.header { // as grpc-go writes trailers
		if name, ok := strings.CutPrefix(key, http.TrailerPrefix); ok {
			delete(w.header, key)
			w.header[name] = append(w.header[name], values...)
		}
	}
	// It fails only outside of a call.
	_ = grpc.SetHeader(ctx, httpcall.Metadata(w.header))
	if err := w.status(); err != nil {
		return err
	}
	body := w.body.Bytes()
	if len(body) < headerSize || body[0] != 0 {
		return status.Errorf(codes.Internal, "%s answered without a message", method)
	}
	if err := proto.Unmarshal(body[headerSize:], reply.(proto.Message)); err != nil {
		return status.Errorf(codes.Internal, "decode answer: %v", err)
	}
	return nil
}

// NewStream fails: no method of the services in question streams.
func (inProcess) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "streams are not supported")
}

func frame(message []byte) []byte {
	framed := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	return append(framed, message...)
}

// request makes a gRPC request.
func (inProcess) request(ctx context.Context, method string, body []byte) *http.Request {
	md, _ := metadata.FromIncomingContext(ctx)
	header := http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}}
	httpcall.SetValid(header, md)
	if agent := md.Get("user-agent"); len(agent) > 0 {
		header.Set("User-Agent", agent[0])
	}
	r := (&http.Request{
		Method: http.MethodPost, URL: &url.URL{Scheme: "http", Path: method},
		Proto: "HTTP/2.0", ProtoMajor: 2,
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}).WithContext(ctx)
	if host := md.Get(":authority"); len(host) > 0 {
		r.Host = host[0]
	}
	if from, ok := peer.FromContext(ctx); ok {
		r.RemoteAddr = from.Addr.String()
		if info, ok := from.AuthInfo.(credentials.TLSInfo); ok {
			r.TLS = &info.State
		}
	}
	return r
}

// answer is an http.ResponseWriter in memory. Trailers stay among the headers.
type answer struct {
	header http.Header
	body   bytes.Buffer
	code   int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }
func (a *answer) WriteHeader(code int)        { a.code = code }
func (a *answer) Flush()                      {}

// status returns the error of the call; nil for OK.
func (a *answer) status() error {
	code, err := strconv.ParseUint(a.header.Get("Grpc-Status"), 10, 32)
	if err != nil {
		return status.Errorf(codes.Internal, "the gRPC server answers %d: %s", a.code, strings.TrimSpace(a.body.String()))
	}
	if code == 0 {
		return nil
	}
	if st, err := detailed(a.header.Get("Grpc-Status-Details-Bin")); err == nil {
		return status.ErrorProto(st)
	}
	message := a.header.Get("Grpc-Message")
	if text, err := url.PathUnescape(message); err == nil {
		message = text
	}
	return status.Error(codes.Code(code), message)
}

// detailed decodes a status that has details.
func detailed(text string) (*spb.Status, error) {
	if text == "" {
		return nil, errors.New("there is none")
	}
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, fmt.Errorf("decode status: %w", err)
	}
	st := &spb.Status{}
	return st, proto.Unmarshal(b, st)
}
