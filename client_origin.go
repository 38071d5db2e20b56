package lro

import (
	"fmt"
	"hash/maphash"
	"reflect"

	"github.com/go-lro/lro/internal/rpcinfo"
)

// origin is what the operations of one method have in common, so that each
// holds one pointer.
type origin struct {
	originKey
	client *Client
	policy *Policy // with its defaults
}

// originKey tells the origins of a client apart.
type originKey struct {
	method    string       // Method.Name
	given     *Policy      // Method.Policy
	typed     reflect.Type // of the Method
	unchecked bool         // Method.Unchecked
}

// recentOrigins is how many origins a client keeps for the next operations.
// More methods than these cost memory, some of them one origin an operation;
// the origin of a policy that was made for one call is released.
const recentOrigins = 16

// originIn returns the origin of the method's operations in c. It is made anew,
// and the method verified, only when the client has none of it, since operations
// are many and methods few.
func (m Method[R, M]) originIn(c *Client) (*origin, error) {
	key := originKey{m.Name, m.Policy, reflect.TypeFor[Method[R, M]](), m.Unchecked}
	recent := &c.origins[maphash.Comparable(c.seed, key)%recentOrigins]
	if o := recent.Load(); o != nil && o.originKey == key {
		return o, nil
	}
	if _, err := descriptorOf[R](); err != nil {
		return nil, fmt.Errorf("response: %w", err)
	}
	if _, err := descriptorOf[M](); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	if err := c.config.policyErr; err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if !m.Unchecked && m.Name != "" {
		if err := (rpcinfo.Types{Response: typeName[R](), Metadata: typeName[M]()}).Verify(m.Name); err != nil {
			return nil, err
		}
	}
	o := &origin{originKey: key, client: c, policy: c.config.policy}
	if key.given != nil {
		full, err := key.given.withDefaults()
		if err != nil {
			return nil, err
		}
		o.policy = &full
	}
	recent.Store(o)
	return o, nil
}
