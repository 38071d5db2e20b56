package docs_test

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/oauth"
	"google.golang.org/grpc/keepalive"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/lrogax"
	"github.com/go-lro/lro/lrohttp"
)

// The functions of this file are the code of google-cloud.md. They compile; to
// run them takes a project of Google Cloud.

func googleExport(ctx context.Context, library *LibraryClient, req *librarypb.ExportBooksRequest) (*librarypb.ExportBooksResponse, error) {
	client := lro.NewClient(lrogax.Service(library)) // one for all operations of the service
	started, err := library.ExportBooks(ctx, req)
	if err != nil {
		return nil, err // if the answer was lost, an operation may have been started: see Method.Start
	}
	op, err := lrogax.Operation(client, started)
	if err != nil {
		return nil, err
	}
	return op.Wait(ctx)
}

func googleResume(library *LibraryClient, client *lro.Client, nameOrToken string) (*lro.Operation[*librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata], error) {
	return lrogax.MethodOf(library.ExportBooksOperation(nameOrToken)).Resume(client, nameOrToken)
}

const cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"

// overGRPC returns a client of the operations of a service of Google Cloud, such
// as "file.googleapis.com", with the program's default credentials.
func overGRPC(ctx context.Context, service string) (*lro.Client, *grpc.ClientConn, error) {
	token, err := oauth.NewApplicationDefault(ctx, cloudPlatform)
	if err != nil {
		return nil, nil, err
	}
	conn, err := grpc.NewClient(service+":443",
		grpc.WithTransportCredentials(credentials.NewTLS(nil)),
		grpc.WithPerRPCCredentials(token),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 10 * time.Second}))
	if err != nil {
		return nil, nil, err
	}
	return lro.NewClientConn(conn, lro.WithServiceName(service)), conn, nil
}

// overHTTP is the same over HTTP/JSON.
func overHTTP(ctx context.Context, service string) (*lro.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: 20 * time.Second, PingTimeout: 10 * time.Second}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: transport})
	authorized, err := google.DefaultClient(ctx, cloudPlatform)
	if err != nil {
		return nil, err
	}
	operations, err := lrohttp.NewClient("https://"+service, lrohttp.WithHTTPClient(authorized))
	if err != nil {
		return nil, err
	}
	return lro.NewClient(operations, lro.WithServiceName(service)), nil
}

var (
	_ = googleExport
	_ = googleResume
	_ = wait
	_ = overGRPC
	_ = overHTTP
)
