package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/go-lro/lro/bench/scripted"
)

// serve is the scripted service as a process of its own. It prints its address
// and then, for each label that it reads, the calls that came for it. It ends
// with its input.
func serve(args []string, in io.Reader, out io.Writer) error {
	set := flag.NewFlagSet("serve", flag.ContinueOnError)
	listen := set.String("listen", "127.0.0.1:0", "address to serve on")
	var faults scripted.Faults
	faults.Flags(set)
	if err := set.Parse(args); err != nil {
		return err
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	service := scripted.New(faults)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- service.Serve(ctx, l) }()
	fmt.Fprintln(out, l.Addr())
	encoder := json.NewEncoder(out)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if err := encoder.Encode(service.Counts(lines.Text())); err != nil {
			break // the reader has gone
		}
	}
	stop()
	return <-served
}

// service is a scripted service in another process.
type service struct {
	cmd     *exec.Cmd
	address string

	mu  sync.Mutex
	in  io.WriteCloser
	out *bufio.Reader
}

// startService starts a scripted service with the flags of serve.
func startService(args ...string) (*service, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	cmd := exec.Command(exe, append([]string{"serve"}, args...)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start service: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start service: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start service: %w", err)
	}
	s := &service{cmd: cmd, in: in, out: bufio.NewReader(out)}
	line, err := s.out.ReadString('\n')
	if err != nil {
		s.kill()
		return nil, fmt.Errorf("read address of service: %w", err)
	}
	s.address = strings.TrimSpace(line)
	return s, nil
}

// counts asks for the calls that came for a label.
func (s *service) counts(label string) (c scripted.Counts, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := fmt.Fprintln(s.in, label); err != nil {
		return c, fmt.Errorf("ask service for counts: %w", err)
	}
	line, err := s.out.ReadBytes('\n')
	if err != nil {
		return c, fmt.Errorf("read counts of service: %w", err)
	}
	if err := json.Unmarshal(line, &c); err != nil {
		return c, fmt.Errorf("read counts of service: %w", err)
	}
	return c, nil
}

// stop ends the service.
func (s *service) stop() error {
	if err := s.in.Close(); err != nil {
		return fmt.Errorf("stop service: %w", err)
	}
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("stop service: %w", err)
	}
	return nil
}

// kill ends the service as a crash does.
func (s *service) kill() {
	_ = s.cmd.Process.Kill() // fails only when it has ended
	_ = s.cmd.Wait()         // says that it was killed
}
