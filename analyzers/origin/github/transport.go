package github

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// guard is the only way out: it gives the token to the API and to nobody else,
// and bounds what comes back.
type guard struct {
	base   *url.URL
	token  string
	next   http.RoundTripper
	limits *limits
}

func newGuard(base *url.URL, token string, limits *limits) *guard {
	return &guard{base, token, &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:    15 * time.Second,
		ResponseHeaderTimeout:  60 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		IdleConnTimeout:        30 * time.Second,
		ForceAttemptHTTP2:      true,
	}, limits}
}

// archiveKey marks the context of a download, whose body has limits of its own.
type archiveKey struct{}

func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Del("Authorization")
	if g.token != "" && req.URL.Scheme == g.base.Scheme && req.URL.Host == g.base.Host && strings.HasPrefix(req.URL.Path, g.base.Path) {
		req.Header.Set("Authorization", "Bearer "+g.token)
	}
	download := req.Context().Value(archiveKey{}) != nil
	if download {
		req.Header.Set("Accept-Encoding", "identity") // or the transport unpacks by itself
	}
	ctx, cancel := context.WithCancel(req.Context())
	resp, err := g.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	most := g.limits.answer
	if download && resp.StatusCode == http.StatusOK {
		most = g.limits.archive
	}
	resp.Body = &bounded{body: resp.Body, left: most, idle: g.limits.idle, cancel: cancel, timer: time.AfterFunc(g.limits.idle, cancel), ctx: req.Context()}
	return resp, nil
}

// errTooLarge is an answer beyond its limit, errStalled one that stopped.
var (
	errTooLarge = errors.New("the answer is larger than the limit")
	errStalled  = errors.New("the server stopped sending")
)

// bounded ends a body that is too large or that stops coming.
type bounded struct {
	body   io.ReadCloser
	left   int64
	idle   time.Duration
	timer  *time.Timer
	cancel func()
	ctx    context.Context // of the request: to tell its end from ours
}

func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.body.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n, errTooLarge
	}
	if !b.timer.Reset(b.idle) && err != nil && !errors.Is(err, io.EOF) && b.ctx.Err() == nil {
		err = errStalled
	}
	return n, err
}

func (b *bounded) Close() error {
	b.timer.Stop()
	err := b.body.Close()
	b.cancel()
	return err
}

// redirect follows few redirects, and none from https to http. Headers of the
// first request go along; the token is not among them.
func (c *Client) redirect(req *http.Request, via []*http.Request) error {
	if len(via) > 5 {
		return errors.New("more than 5 redirects")
	}
	if req.URL.Scheme != "https" && (c.api.BaseURL.Scheme != "http" || !loopback(req.URL.Hostname())) {
		return errors.New("redirected away from https")
	}
	return nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
