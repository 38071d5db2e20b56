// Package transporttest shows that the future works the same whatever carries
// its calls. [Run] plays services that succeed, fail, hang, lie or send unknown
// types, behind the transport it is given, and waits for their operations
// with package lro:
//
//	func TestTransport(t *testing.T) {
//		transporttest.Run(t, func(t *testing.T, srv longrunningpb.OperationsServer) lro.Service {
//			... serve srv in memory, and return what calls it ...
//		})
//	}
//
// Every case runs in a bubble of testing/synctest, so hours pass in
// milliseconds and a goroutine that is left over fails the test. A transport must
// therefore stay within memory, and stop all it started in t.Cleanup. [Listen]
// helps with both.
package transporttest
