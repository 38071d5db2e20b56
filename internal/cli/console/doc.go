// Package console is "lro console": the web console of this machine, in front
// of any service of operations that can be reached over the network.
package console
