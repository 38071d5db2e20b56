package main

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports for servers. Systems hand out those from 32768 on (IANA: from 49152 on)
// for outgoing connections, so that a port from there could be taken by anyone
// between the moment it is found free and the moment it is listened on, or while
// a server that shall keep its address is restarted.
const (
	firstPort = 20000
	lastPort  = 32000
)

// freePort returns a port of ip on which nobody listens.
func freePort(ip net.IP) (int, error) {
	var err error
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		var l *net.TCPListener
		if l, err = net.ListenTCP("tcp", &net.TCPAddr{IP: ip, Port: port}); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("find free port of %s: %w", ip, err)
}
