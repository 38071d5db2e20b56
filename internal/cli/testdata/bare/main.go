// Command bare makes the call of "lro get" with grpc-go alone: what every start
// of the command is measured against.
package main

import (
	"context"
	"fmt"
	"os"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func main() {
	conn, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	op, err := longrunningpb.NewOperationsClient(conn).GetOperation(context.Background(), &longrunningpb.GetOperationRequest{Name: os.Args[2]})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(op.GetName(), op.GetDone())
}
