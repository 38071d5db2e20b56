package host

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// readyTimeout is how long a store may take to answer a readiness probe.
const readyTimeout = 5 * time.Second

// serving reports whether the host is not stopping.
func (h *Host) serving(ctx context.Context) bool {
	resp, err := h.health.Check(ctx, &healthpb.HealthCheckRequest{})
	return err == nil && resp.GetStatus() == healthpb.HealthCheckResponse_SERVING
}

// serveHealth answers whether the process lives and is not stopping.
func (h *Host) serveHealth(w http.ResponseWriter, r *http.Request) {
	if !h.serving(r.Context()) {
		http.Error(w, "stopping", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// serveReady answers whether calls that change something would succeed. Unlike
// /healthz it asks the store: to restart a process does not empty a disk.
func (h *Host) serveReady(logger *slog.Logger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !h.serving(r.Context()) {
			http.Error(w, "stopping", http.StatusServiceUnavailable)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if err := h.server.Ready(ctx); err != nil {
			logger.WarnContext(r.Context(), "not ready", "error", err)
			http.Error(w, "the store of operations is unavailable; the server's log says why", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	}
}
