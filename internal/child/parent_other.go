//go:build !linux

package child

import "os/exec"

// dieWithParent leaves it to the process to end when its standard input does.
func dieWithParent(*exec.Cmd) {}
