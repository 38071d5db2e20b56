package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lropb"
)

// simulate declares what the method's operations return, and their metadata.
var simulate = lro.Method[*lropb.SimulateResponse, *lropb.OperationMetadata]{}

func main() {
	address := "127.0.0.1:8700" // of lro serve
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the limit of all that follows
	defer cancel()
	if err := run(ctx, conn); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, conn *grpc.ClientConn) error {
	// Your own service has a method in place of StartOperation.
	request, err := anypb.New(&lropb.SimulateRequest{Duration: durationpb.New(4 * time.Second), Steps: 4, Echo: "hello"})
	if err != nil {
		return err
	}
	started, err := lropb.NewStarterClient(conn).StartOperation(ctx, &lropb.StartOperationRequest{Kind: "simulate", Request: request})
	if err != nil {
		return err
	}

	client := lro.NewClientConn(conn) // one per service
	op, err := simulate.Wrap(client, started)
	if err != nil {
		return err
	}
	for state, err := range op.Progress(ctx) {
		if err != nil {
			return err
		}
		metadata, _ := state.Metadata()
		fmt.Println(op.Name(), metadata.GetState(), metadata.GetProgressPercent(), "%")
	}
	response, err := op.Wait(ctx)
	if err != nil {
		return err
	}
	fmt.Println("response:", response.GetEcho())
	return nil
}
