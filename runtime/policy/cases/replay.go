package cases

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
)

// Record is what replay needs of a record of package runtime/audit; whatever
// else a line has is skipped.
type Record struct {
	Line    int    `json:"-"` // 1-based
	Kind    string `json:"kind"`
	Time    string `json:"time"`
	Session string `json:"session"`
	Server  struct {
		Entry   string   `json:"entry"`
		Name    string   `json:"name"`
		Argv    []string `json:"argv"`
		URL     string   `json:"url"`
		Image   string   `json:"image"`
		Surface string   `json:"surface"`
	} `json:"server"`
	Who struct {
		User        string   `json:"user"`
		Client      string   `json:"client"`
		Agent       string   `json:"agent"`
		Unit        string   `json:"unit"`
		Project     string   `json:"project"`
		Environment string   `json:"environment"`
		Roles       []string `json:"roles"`
	} `json:"who"`
	Direction string `json:"direction"`
	Method    string `json:"method"`
	Name      string `json:"name"`
	Protocol  string `json:"protocol"`
	Decision  string `json:"decision"`
	Rule      string `json:"rule"`
	Reason    string `json:"reason"`
}

// maxLine bounds a line of a log, in bytes.
const maxLine = 1 << 20

// Read visits the decisions of a log of JSON Lines; its checkpoints and other
// lines of its own are skipped. Lines that are no record are counted; a line
// beyond 1 MiB is an error.
func Read(r io.Reader, visit func(*Record)) (unread int, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for n := 1; lines.Scan(); n++ {
		if len(strings.TrimSpace(lines.Text())) == 0 {
			continue
		}
		rec := &Record{Line: n}
		switch err := json.Unmarshal(lines.Bytes(), rec); {
		case err != nil:
			unread++
		case rec.Kind != "" && rec.Kind != "decision":
		case rec.Decision == "":
			unread++
		default:
			visit(rec)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return unread, errors.New("a line is longer than 1 MiB")
	}
	return unread, lines.Err()
}

// Request is the request of a record on a day. It is false for a record in
// which no policy had a part: the start and the end of a session, a method
// without an action.
func (r *Record) Request(today string) (*policy.Request, bool) {
	var a policy.Action
	var ok bool
	switch r.Direction {
	case "client-to-server":
		a, ok = policy.ClientAction(r.Method)
	case "server-to-client":
		a, ok = policy.ServerAction(r.Method)
		// A tool that was hidden from a list stands in an answer of the server.
		if b, isList := policy.ClientAction(r.Method); !ok && isList && r.Decision == "hide" {
			a, ok = b, true
		}
	default:
		if ok = r.Decision == "start"; ok {
			a = policy.Connect
		}
	}
	w := r.Who
	return &policy.Request{
		Who:  registry.Who{Unit: w.Unit, Project: w.Project, Environment: w.Environment, Client: w.Client, Roles: w.Roles},
		User: w.User, Agent: w.Agent, Action: a, Name: r.Name, Protocol: r.Protocol, Today: today,
	}, ok
}

// Identity is the server of a record, as far as the log knows it: not the
// environment in which it was started.
func (r *Record) Identity() registry.Identity {
	var id registry.Identity
	switch s := r.Server; {
	case len(s.Argv) > 0:
		id = registry.Command(s.Argv)
	case s.URL != "":
		id.URL = s.URL
	case s.Image != "":
		id.Images = []string{s.Image}
	}
	id.Name, id.Surface = r.Server.Name, r.Server.Surface
	return id
}

// unapproved is the rule in a record of a denial that no policy made: what
// nothing permits.
const unapproved = "unapproved-server"

// Recorded says what was decided, and whether it was the policies that decided
// it: what another check refused (text, secrets, a changed tool) they had let
// through.
func (r *Record) Recorded() (allowed, byPolicy bool) {
	if !slices.Contains([]string{"deny", "hide", "drop", "stop"}, r.Decision) {
		return true, true
	}
	return false, r.Rule == "" || r.Rule == unapproved || strings.HasPrefix(r.Rule, "registry/") || strings.Contains(r.Rule, "#")
}
