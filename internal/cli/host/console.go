package host

import (
	"net/http"

	"github.com/go-lro/lro/console"
	"github.com/go-lro/lro/console/local"
	"github.com/go-lro/lro/server"
)

// newConsole returns the console of a server.
func newConsole(c Config, srv *server.Server) (*console.Handler, error) {
	source, err := local.New(srv, local.Config{})
	if err != nil {
		return nil, err
	}
	return console.New(source, console.Config{
		Title:    "lro serve",
		Endpoint: console.Endpoint{SameHost: true, Plaintext: c.TLS == nil},
		Hosts:    c.Hosts,
		Logger:   c.Logger,
	})
}

// signedIn admits those to a handler for browsers who have a token. Browsers
// ask for it as a password (HTTP Basic), since people cannot make them send a
// bearer token; the user's name does not matter.
func signedIn(t *Tokens, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization := r.Header["Authorization"]
		if _, password, ok := r.BasicAuth(); ok {
			authorization = []string{"Bearer " + password}
		}
		ctx, err := t.admit(r.Context(), authorization)
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Basic realm="lro: give a token as the password", charset="UTF-8"`)
			http.Error(w, "a token is required, as the password", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
