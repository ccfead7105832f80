package seal

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// ErrPlainHTTP is in the chain of an error when a connection without TLS to
// another machine was refused.
var ErrPlainHTTP = errors.New("plain http leaves this machine")

// Guard is a transport for other clients under the rules of this package: no
// plain http to other machines unless plain says so, wherever a redirect leads,
// and no answer beyond limit bytes.
func Guard(base http.RoundTripper, limit int64, plain bool) http.RoundTripper {
	return &guarded{base: base, limit: limit, plain: plain}
}

// guarded is a transport that does not talk to other machines without TLS,
// wherever a redirect or a registry sends it, and that bounds answers.
type guarded struct {
	ctx   context.Context // also ends requests that were made without one; nil: theirs alone
	base  http.RoundTripper
	limit int64 // bytes of a response
	plain bool  // plain http was asked for
}

func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !g.plain && !loopback(r.URL.Hostname()) {
		return nil, fmt.Errorf("%w: %s", ErrPlainHTTP, r.URL.Host)
	}
	if g.ctx != nil {
		if err := g.ctx.Err(); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithCancel(r.Context())
		stop := context.AfterFunc(g.ctx, cancel)
		r = r.WithContext(ctx)
		response, err := g.base.RoundTrip(r)
		if err != nil {
			stop()
			cancel()
			return nil, err
		}
		response.Body = &bounded{response.Body, g.limit, func() { stop(); cancel() }}
		return response, nil
	}
	response, err := g.base.RoundTrip(r)
	if err == nil {
		response.Body = &bounded{response.Body, g.limit, func() {}}
	}
	return response, err
}

// bounded fails beyond its limit: a cut answer would be read as a whole one.
type bounded struct {
	io.ReadCloser
	left int64
	done func()
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errors.New("the answer is too large")
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left+1)])
	if b.left -= int64(n); b.left < 0 {
		return 0, errors.New("the answer is too large")
	}
	return n, err
}

func (b *bounded) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// reachable holds the addresses of services: https, or http on this machine.
func reachable(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "":
		return fmt.Errorf("%q is no URL of a service", shown(address))
	case u.User != nil:
		return fmt.Errorf("a URL of a service must not hold a password (host %s)", u.Host)
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%w: %q; use https", ErrPlainHTTP, shown(address))
}

// audience is the one for which certificate authorities want a token.
const audience = "sigstore"

// WorkflowToken asks a workflow's runner for an identity token, as GitHub
// Actions offers it (ACTIONS_ID_TOKEN_REQUEST_URL and
// ACTIONS_ID_TOKEN_REQUEST_TOKEN, with "permissions: id-token: write").
func WorkflowToken(ctx context.Context, address, bearer string) (string, error) {
	if err := reachable(address); err != nil {
		return "", err
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	query := u.Query()
	query.Set("audience", audience)
	u.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+bearer)
	client := http.Client{
		Transport:     &guarded{base: http.DefaultTransport, limit: 1 << 20},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return "", masked(err, bearer)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the runner answers %s to the request for an identity token", response.Status)
	}
	var answer struct {
		Value string `json:"value"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return "", errors.New("the runner's answer holds no identity token")
	}
	return answer.Value, CheckToken(answer.Value)
}

// CheckToken tells an identity token from something else. It checks no
// signature: the certificate authority does.
func CheckToken(token string) error {
	parts := strings.Split(token, ".")
	if len(parts) == 3 && len(token) <= 64<<10 {
		claims, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err == nil && json.Valid(claims) {
			return nil
		}
	}
	return errors.New("this is no identity token (a JSON web token of three parts)")
}

// masked keeps a secret out of an error that a service may have put it in.
func masked(err error, secret string) error {
	if secret == "" || !strings.Contains(err.Error(), secret) {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), secret, "***"))
}
