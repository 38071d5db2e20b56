package await

import (
	"time"

	"github.com/go-lro/lro/internal/cli/render"
)

// Event is a line of "lro wait --output json"; see docs/cli_json.md.
type Event struct {
	// Event is "progress", "done", "unknown" when the outcome cannot be
	// learnt, or "stopped" when it was not waited for.
	Event string    `json:"event"`
	Time  time.Time `json:"time"`
	// Exit is the exit status that the operation alone would have; absent
	// while it runs.
	Exit *int `json:"exitStatus,omitempty"`
	// Name is set where there may be no operation to show.
	Name      string       `json:"name,omitempty"`
	Reason    string       `json:"reason,omitempty"`
	Resume    string       `json:"resume,omitempty"`
	Operation *render.JSON `json:"operation,omitempty"`
}
