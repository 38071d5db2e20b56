package killdemo

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/go-lro/lro/internal/child"
)

// Cluster is the processes of a demonstration. It is for one goroutine.
type Cluster struct {
	// Holders returns who runs which operation at the moment, by name.
	Holders func(ctx context.Context) (map[string]Holder, error)

	begin   time.Time
	servers []*server
	workers []*worker
}

// Holder is a process that runs an attempt of an operation.
type Holder struct {
	PID     int
	Attempt int32
}

type server struct {
	name    string
	process *child.Process
	conn    *grpc.ClientConn
}

type worker struct {
	name    string
	process *child.Process
}

// Start starts two servers and three workers. command makes one that serves with
// some more flags. Call Close also after an error.
func (c *Cluster) Start(ctx context.Context, command func(flags ...string) *exec.Cmd) error {
	for _, name := range []string{"s1", "s2"} {
		process, rest, err := child.Start(ctx, command("--role", "server", "--listen", "127.0.0.1:0"), child.Prefix("serving operations on "))
		if err != nil {
			return err
		}
		address, _, _ := strings.Cut(rest, ",")
		s := &server{name: name, process: process}
		c.servers = append(c.servers, s)
		if s.conn, err = grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
			return err
		}
		fmt.Printf("server %s at %s\n", name, address)
	}
	for _, name := range []string{"w1", "w2", "w3"} {
		process, _, err := child.Start(ctx, command("--role", "worker", "--concurrency", "20"), child.Prefix("running operations"))
		if err != nil {
			return err
		}
		c.workers = append(c.workers, &worker{name, process})
		fmt.Printf("worker %s is process %d\n", name, process.PID())
	}
	c.begin = time.Now()
	return nil
}

// Close ends the processes.
func (c *Cluster) Close() {
	for _, w := range c.workers {
		w.process.Kill()
	}
	for _, s := range c.servers {
		if s.conn != nil {
			s.conn.Close()
		}
		s.process.Kill()
	}
}

func (c *Cluster) workerName(pid int) string {
	for _, w := range c.workers {
		if w.process.PID() == pid {
			return w.name
		}
	}
	return fmt.Sprintf("process %d", pid)
}
