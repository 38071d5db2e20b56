// Package child runs programs as children that are waited for, read from,
// signalled and killed, and that do not outlive this process: not even one that
// is stopped (SIGSTOP) when this process is killed, as far as the system can see
// to it.
//
//	p, address, err := child.Start(ctx, exec.Command("server"), child.Prefix("ready "))
//	defer p.Kill()
package child
