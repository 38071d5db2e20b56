// Package cutproxy forwards TCP connections until a test cuts them, with or
// without telling the two ends. It runs between the processes of fault tests.
//
//	p, err := cutproxy.Start("127.0.0.1:5432")
//	defer p.Close()
//	p.Cut()     // nothing gets through
//	p.Restore() // it does again, on new connections
//
// A Dialer does the same within a process, for the connections of one client.
package cutproxy
