//go:build !unix

package pgserver

import "os/exec"

// account is who commands run as: the user of this process.
type account struct{}

func (account) apply(*exec.Cmd) {}

func unprivileged(string) (account, error) { return account{}, nil }
