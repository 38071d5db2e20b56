// Package lropb holds the protocol messages that lro adds to
// google.longrunning: [OperationMetadata], metadata ready to use with the
// field names most services have; the service [StarterClient], which starts an
// operation of any registered kind; and the messages of the kinds that the
// command lro serves. It is generated from proto/lro/v1 by "make proto".
package lropb
