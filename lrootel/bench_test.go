package lrootel

import (
	"context"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/go-lro/lro"
)

// BenchmarkWait waits for an operation that the first poll finds done: without
// an observer, with one that records nothing, and with one that records all.
func BenchmarkWait(b *testing.B) {
	for _, bench := range []struct {
		name     string
		observer *lro.Observer
	}{
		{"none", nil},
		{"noop", NewObserver(WithTracerProvider(tracenoop.NewTracerProvider()), WithMeterProvider(metricnoop.NewMeterProvider()))},
		{"sdk", NewObserver(
			WithTracerProvider(sdktrace.NewTracerProvider()),
			WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))))},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			done := succeeded()
			client := lro.NewClient(lro.GetFunc(func(context.Context, string) (*longrunningpb.Operation, error) { return done, nil }),
				lro.WithObserver(bench.observer))
			for b.Loop() {
				op, err := Strings.Resume(client, testName)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := op.Wait(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
