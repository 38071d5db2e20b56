package main

import (
	"encoding/json"
	"fmt"
	"net"

	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

// clusterName is the name of the one cluster; it is stored.
const clusterName = "active"

// newServer returns a server that is not started, and where it will answer.
func newServer(o *options) (temporal.Server, string, error) {
	cfg := &config.Config{
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
	}
	address, hosts, err := addServices(cfg, o.listen)
	if err != nil {
		return nil, "", err
	}
	cfg.PublicClient = config.PublicClient{HostPort: address}
	cfg.ClusterMetadata.ClusterInformation = map[string]cluster.ClusterInformation{
		clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: address},
	}
	if err := addStore(cfg, o); err != nil {
		return nil, "", err
	}
	dynamic, err := dynamicConfig(o.dynamic)
	if err != nil {
		return nil, "", err
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		// Gossip would take a restarted server up to half a minute to forget
		// its predecessor.
		temporal.WithStaticHosts(hosts),
		temporal.WithLogger(log.NewZapLogger(log.BuildZapLogger(log.Config{Level: o.logLevel}))),
		temporal.WithDynamicConfigClient(dynamic),
	)
	if err != nil {
		return nil, "", fmt.Errorf("assemble server: %w", err)
	}
	return server, address, nil
}

// addServices adds the four roles, each on a port of its own.
func addServices(cfg *config.Config, listen string) (string, map[primitives.ServiceName]static.Hosts, error) {
	frontend, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return "", nil, fmt.Errorf("--listen %q: %w", listen, err)
	}
	if frontend.IP == nil {
		return "", nil, fmt.Errorf("--listen %q: no address", listen)
	}
	cfg.Services = make(map[string]config.Service)
	hosts := make(map[primitives.ServiceName]static.Hosts)
	for _, name := range temporal.DefaultServices {
		at := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
		if name == string(primitives.FrontendService) {
			at = frontend
		}
		if at.Port == 0 {
			if at.Port, err = freePort(at.IP); err != nil {
				return "", nil, err
			}
		}
		cfg.Services[name] = config.Service{RPC: config.RPC{GRPCPort: at.Port, BindOnIP: at.IP.String()}}
		hosts[primitives.ServiceName(name)] = static.SingleLocalHost(at.String())
	}
	return frontend.String(), hosts, nil
}

// plenty is a rate per second that nobody reaches.
const plenty = 100_000

// dynamicConfig differs from Temporal's defaults in the limits of rates alone:
// those are for many users on many machines, and one of them, 10 lists a second,
// is in the way of tests. --dynamic can set it back.
func dynamicConfig(set settings) (dynamicconfig.StaticClient, error) {
	client := dynamicconfig.StaticClient{}
	for _, key := range []string{
		"frontend.rps", "frontend.namespaceRPS", "frontend.namespaceRPS.visibility",
		"frontend.persistenceMaxQPS",
		"history.rps", "history.persistenceMaxQPS",
		"matching.rps", "matching.persistenceMaxQPS",
	} {
		client[dynamicconfig.MakeKey(key)] = plenty
	}
	for key, text := range set {
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			return nil, fmt.Errorf("--dynamic %s=%s: %w", key, text, err)
		}
		client[dynamicconfig.MakeKey(key)] = value
	}
	return client, nil
}
