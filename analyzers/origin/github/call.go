package github

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"archive/tar"

	"github.com/google/go-github/v62/github"
)

// Problem is why something could not be read. Kind is that of the gap that it
// becomes.
type Problem struct {
	Kind   string
	Reason string
	Until  time.Time // of a rate limit: when to go on
}

func (p *Problem) Error() string { return p.Reason }

// The kinds of a Problem, besides those that every gap may have.
const (
	NotFound    = "not-found"   // gone, never there, or not for this token
	Forbidden   = "forbidden"   // the token may not
	SSO         = "sso"         // the token is not authorised for single sign-on
	RateLimit   = "rate-limit"  // GitHub wants us to wait for longer than we do
	Unavailable = "unavailable" // no answer, or a server's error
	Truncated   = "truncated"   // the archive ends too early
	Malformed   = "malformed"   // not what the API answers
	Limit       = "limit"       // larger than we read
	Escape      = "escape"      // a path that leads out
	empty       = "empty"       // a repository without a commit
)

// call asks, waits for a rate limit where that is short, and tries once more
// after a failure that may pass. Its error is ctx's or a *Problem.
func (c *Client) call(ctx context.Context, ask func(context.Context) (*github.Response, error)) error {
	failures := 0
	for waits := 0; ; {
		resp, err := ask(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		pause := c.backoff
		if wait, ok := limited(resp, err, time.Now()); ok {
			if waits++; wait > c.limits.wait || waits > 5 {
				until := time.Now().Add(wait).UTC().Truncate(time.Second)
				return &Problem{RateLimit, "GitHub's rate limit is used up until " + until.Format("2006-01-02 15:04:05 UTC"), until}
			}
			pause = wait
			c.say("GitHub's rate limit: waiting %d s", int(wait.Round(time.Second).Seconds()))
		} else {
			p := c.explain(err)
			if failures++; failures > 1 || p.Kind != Unavailable && p.Kind != Truncated {
				return p
			}
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// limited reports whether an error is a rate limit and how long it lasts.
//
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api:
// Retry-After is obeyed; with nothing remaining the reset is; else it is a
// minute. go-github makes a type of a 403 alone, and sends nothing before the
// end of a limit that it has seen.
func limited(resp *github.Response, err error, now time.Time) (time.Duration, bool) {
	var primary *github.RateLimitError
	var secondary *github.AbuseRateLimitError
	var other *github.ErrorResponse
	typed := errors.As(err, &primary) || errors.As(err, &secondary)
	if !typed {
		if !errors.As(err, &other) || other.Response == nil {
			return 0, false
		}
		switch other.Response.StatusCode {
		case http.StatusTooManyRequests:
		case http.StatusForbidden:
			if other.Response.Header.Get("Retry-After") == "" && !strings.Contains(strings.ToLower(other.Message), "secondary rate limit") {
				return 0, false
			}
		default:
			return 0, false
		}
	}
	header := http.Header{}
	if resp != nil && resp.Response != nil {
		header = resp.Header
	}
	if seconds, err := strconv.Atoi(header.Get("Retry-After")); err == nil {
		return min(max(time.Duration(seconds), 0), 1<<20) * time.Second, true
	}
	if header.Get("X-RateLimit-Remaining") == "0" {
		if at, err := strconv.ParseInt(header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			return max(time.Unix(at, 0).Sub(now), 0) + time.Second, true
		}
	}
	switch { // go-github's own refusal
	case primary != nil && !primary.Rate.Reset.IsZero():
		return max(primary.Rate.Reset.Sub(now), 0) + time.Second, true
	case secondary != nil && secondary.RetryAfter != nil:
		return max(*secondary.RetryAfter, 0) + time.Second, true
	}
	return time.Minute, true
}

// explain turns an error into a Problem. No URL is in it: that of a download
// may hold a token of its own.
func (c *Client) explain(err error) *Problem {
	var problem *Problem
	if errors.As(err, &problem) {
		return problem
	}
	var answer *github.ErrorResponse
	if errors.As(err, &answer) && answer.Response != nil {
		said := ""
		if m := []rune(answer.Message); len(m) > 0 {
			said = ": " + c.clean(string(m[:min(len(m), 200)]))
		}
		switch code := answer.Response.StatusCode; {
		case strings.HasPrefix(answer.Response.Header.Get("X-GitHub-SSO"), "required"):
			return &Problem{Kind: SSO, Reason: "the token is not authorised for this organisation's single sign-on; authorise it under Configure SSO in the settings of your tokens, and scan again"}
		case code == http.StatusUnauthorized:
			return &Problem{Kind: Forbidden, Reason: "GitHub does not accept the token" + said}
		case code == http.StatusForbidden, code == http.StatusUnavailableForLegalReasons:
			return &Problem{Kind: Forbidden, Reason: "GitHub refuses access" + said + "; the token needs to read contents and metadata of this repository"}
		case code == http.StatusNotFound, code == http.StatusGone, code == http.StatusUnprocessableEntity:
			return &Problem{Kind: NotFound, Reason: "not there, or not for this token" + said}
		case code == http.StatusConflict && strings.Contains(strings.ToLower(answer.Message), "empty"):
			return &Problem{Kind: empty, Reason: "the repository has no commit"}
		case code >= 500:
			return &Problem{Kind: Unavailable, Reason: fmt.Sprintf("GitHub answers with status %d%s", code, said)}
		default:
			return &Problem{Kind: Malformed, Reason: fmt.Sprintf("GitHub answers with status %d%s", code, said)}
		}
	}
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	var transfer *url.Error
	switch {
	case errors.As(err, &transfer):
		return &Problem{Kind: Unavailable, Reason: "no answer: " + c.clean(transfer.Err.Error())}
	case errors.Is(err, errTooLarge):
		return &Problem{Kind: Limit, Reason: "an answer larger than is read"}
	case errors.Is(err, errStalled):
		return &Problem{Kind: Unavailable, Reason: errStalled.Error()}
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.Is(err, tar.ErrHeader):
		return &Problem{Kind: Malformed, Reason: "the archive is damaged: " + err.Error()}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &Problem{Kind: Truncated, Reason: "the answer ends too early"}
	case errors.As(err, &syntax), errors.As(err, &wrong):
		return &Problem{Kind: Malformed, Reason: "GitHub's answer is not the JSON of its API"}
	}
	return &Problem{Kind: Unavailable, Reason: c.clean(err.Error())}
}
