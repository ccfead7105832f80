package shim

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/internal/release"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/runtime"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/mux"
	"github.com/sallyport-mcp/sallyport/runtime/stdio"
)

// runSeveral serves all servers of --servers behind one connection.
func (o *options) runSeveral(ctx context.Context, w World, say func(string, ...any)) int {
	if w.Warm != nil { // once for all of them
		w.Warm = sync.OnceFunc(w.Warm)
	}
	src := newSource(o, w, say)
	if err := src.load(time.Now()); err != nil {
		return fail(w, err)
	}
	found := manifests{}
	var all []*one
	var names []string
	var absent []mux.Absent
	defer func() {
		for _, s := range all {
			_ = s.exe.Close()
		}
	}()
	for _, server := range o.several {
		s, err := server.prepare(src, found, func(format string, args ...any) {
			say("%s: "+format, append([]any{analyzers.Untrusted(server.name)}, args...)...)
		})
		if err != nil {
			say("%s is left out: %s", analyzers.Untrusted(server.name), err)
			absent = append(absent, mux.Absent{Name: server.name, Reason: err.Error()})
			continue
		}
		all, names = append(all, s), append(names, server.name)
	}
	if len(all) == 0 {
		return fail(w, hint("are they installed, and in PATH?", "none of the servers can be started"))
	}
	write, done, err := o.audit(ctx, w, say)
	if err != nil {
		return fail(w, err)
	}
	defer done()
	slugs := mux.Slugs(names)
	for i, slug := range slugs {
		if slug != names[i] {
			say("%s is offered as %s", analyzers.Untrusted(names[i]), slug)
		}
	}

	who, _ := o.records(all[0].guard)
	note := func(r *audit.Record) error {
		tell(w.Stderr, o, r)
		return write(r)
	}
	together := &company{
		all: all, rules: func() []*rules.Rule { return src.common.Load().rules() }, had: make([]bool, len(all)), note: note,
		judge: runtime.NewTogether(names, func(i int, name string) string { return mux.Offer(slugs[i], name) }),
	}
	joined := mux.New(mux.Options{
		Servers: names, Absent: absent, Version: release.Version,
		Record:   audit.Record{Session: all[0].session.ID, Mode: string(o.mode), Server: &audit.Server{Name: "sallyport"}, Who: &who},
		Withheld: together.withheld,
		Refused:  func(i int) *runtime.Refusal { return all[i].session.Stopped() },
		LeftOut: func(i int, reason string) {
			say("%s is left out: %s", analyzers.Untrusted(names[i]), reason)
		},
	})
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go src.watch(watching)
	var joint *stdio.Joint
	joint = stdio.NewJoint(stdio.JoinOptions{
		Mux: joined, Servers: len(all), Stdin: w.Stdin, Stdout: w.Stdout, MaxLine: o.maxLine, Record: note,
		Serve: func(ctx context.Context, i int, in io.Reader, out io.Writer) error {
			return all[i].serve(ctx, in, out, func(r *audit.Record) error {
				err := note(r)
				if r.Decision == audit.Stop && r.Enforced {
					joint.Stopped(i)
				}
				return err
			})
		},
	})
	errs, err := joint.Run(ctx)
	if err != nil {
		return fail(w, err)
	}
	// One server that has served makes a run that has: the others are in the log.
	if slices.Contains(errs, nil) {
		return 0
	}
	for _, err := range errs {
		if !errors.Is(err, stdio.ErrRefused) {
			return exitCode(w, err)
		}
	}
	return exitRefused
}

// company is the servers of a connection, judged beside each other.
type company struct {
	all   []*one
	rules func() []*rules.Rule
	judge *runtime.Together
	had   []bool // the client has the server's instructions
	note  func(*audit.Record) error
}

// withheld is what must not be offered, by server, kind and name, now that
// something is complete (mux.Options).
func (c *company) withheld(complete string) []map[string]map[string]bool {
	now := time.Now()
	shown := make([]runtime.Seen, len(c.all))
	for i, s := range c.all {
		shown[i] = s.session.Shown(now)
	}
	out := make([]map[string]map[string]bool, len(c.all))
	for i, found := range c.judge.Judge(c.rules(), shown) {
		records, enforced := c.all[i].session.Withhold(found, c.had[i], now)
		for k := range records {
			_ = c.note(&records[k]) // what is withheld stays so
		}
		out[i] = map[string]map[string]bool{}
		for kind, names := range enforced {
			out[i][kind] = map[string]bool{}
			for name := range names {
				out[i][kind][name] = true
			}
		}
		if said := shown[i].Instructions; complete == mux.Greeted && said != nil && *said != "" && !out[i][runtime.Instructions][""] {
			c.had[i] = true
		}
	}
	return out
}
