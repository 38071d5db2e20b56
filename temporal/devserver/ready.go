package main

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	readyPoll    = 20 * time.Millisecond
	readyTimeout = time.Minute
)

// awaitReady waits until the server answers for each of namespaces, from its
// caches and from its store.
func awaitReady(ctx context.Context, address string, namespaces []string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	service := workflowservice.NewWorkflowServiceClient(conn)
	for _, name := range namespaces {
		for {
			err := ask(ctx, service, name)
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("start: not ready after %v: %w", readyTimeout, err)
			case <-time.After(readyPoll):
			}
		}
	}
	return nil
}

// ask goes through the frontend's cache of namespaces to history and matching.
func ask(ctx context.Context, service workflowservice.WorkflowServiceClient, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := service.ListActivityExecutions(ctx, &workflowservice.ListActivityExecutionsRequest{Namespace: namespace, PageSize: 1})
	return err
}
