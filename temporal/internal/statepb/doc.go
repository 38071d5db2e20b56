// Package statepb has the messages that the engine on Temporal stores in the
// activity of an operation, generated from proto/lro/temporal/v1.
package statepb
