// Package stdio moves messages between a client and a server that speak over
// standard input and output (MCP, basic/transports/stdio): one JSON-RPC message
// a line. It decides nothing: every frame goes through a runtime.Session, and
// every record is written before anything is forwarded.
package stdio

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"sync"
	"time"

	"github.com/sallyport-mcp/sallyport/runtime"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// Options is what Run needs. Command has its program, arguments, environment
// and directory set, and nothing of its input and output.
type Options struct {
	Session *runtime.Session
	Command *exec.Cmd
	// Launcher says that the command starts the server as a process of its own
	// and passes on signals that it gets: npx, uvx, docker run.
	Launcher bool
	// Client is what the client writes and reads.
	Stdin  io.Reader
	Stdout io.Writer
	// Stderr gets what the server writes there, without control characters.
	Stderr io.Writer
	// Record writes a record; an error of it denies the message, unless
	// LossyAudit is set.
	Record     func(*audit.Record) error
	LossyAudit bool
	// Alone: no other server is served beside this one, so that a thread may
	// wait for what it writes, which is faster.
	Alone bool
	// Guards brings new guards: what was approved has changed. nil: none come.
	Guards <-chan *runtime.Guard
	// Answered is called with the server's process id when its first message is
	// there and before anything of it goes on; a refusal ends the server. nil:
	// nothing is asked.
	Answered func(pid int) *runtime.Refusal
	MaxLine  int           // bytes of a message: 16 MiB
	Grace    time.Duration // between closing the server's input, SIGTERM and SIGKILL: 5 s
}

// ErrRefused is the error of a session whose server was not started or was
// ended by a decision.
var ErrRefused = errors.New("the server was refused")

// Run starts the server and serves until one of both sides ends. The error is
// ErrRefused, an *exec.ExitError of the server, or why it did not start.
func Run(ctx context.Context, o Options) error {
	if o.Grace <= 0 {
		o.Grace = 5 * time.Second
	}
	p := &pump{Options: o, client: newOutlet(o.Stdout, nil), timed: make(chan struct{}, 1)}
	defer p.client.close()
	record, no := o.Session.Start(time.Now())
	if err := p.note(&record); err != nil {
		return err
	}
	if no != nil {
		p.explain(ctx, p.listen(ctx))
		p.end("refused: " + no.Rule)
		return ErrRefused
	}
	return p.serve(ctx)
}

// listen reads the client until its input ends, which closes what it returns.
func (p *pump) listen(ctx context.Context) <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		p.fromClient(ctx)
	}()
	return gone
}

// explain goes on without a server while the client is there: whatever it asks
// is answered with the reason, so that the person sees it.
func (p *pump) explain(ctx context.Context, gone <-chan struct{}) {
	select {
	case <-gone:
	case <-ctx.Done():
	case <-p.client.broken:
	}
}

// pump is one run.
type pump struct {
	Options
	client, server *outlet
	process        *process

	hand   sync.Mutex // held while a frame of the client is judged and sent
	over   bool       // under hand: none is any more
	turn   sync.Mutex // held while a frame of the server is judged and sent
	locked sync.Mutex
	refuse *runtime.Refusal
	timed  chan struct{} // a call may take too long
}

func (p *pump) serve(ctx context.Context) error {
	proc, err := start(p.Command, p.Launcher, p.Stderr)
	if err != nil {
		p.end("not started")
		return err
	}
	if p.Alone { // of several servers each would hold a processor
		proc.stdout = unpolled(proc.stdout)
	}
	p.process, p.server = proc, newOutlet(proc.stdin, func() {
		p.stop(&runtime.Refusal{Rule: runtime.RuleLost, Reason: "the server does not read what it is sent", Next: "look into its log and start it again"})
	})
	defer proc.close()
	defer p.server.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	gone := p.listen(ctx)
	answered := make(chan struct{}) // the server's output has ended
	go func() {
		defer close(answered)
		p.fromServer()
	}()
	go p.renew(ctx)
	go p.expire(ctx)

	select {
	case <-answered:
		p.server.close()
		// Nothing will be answered any more, even if it takes its time to end.
		select {
		case <-proc.exited:
		case <-time.After(farewell):
			p.lost("the server has closed its output")
		}
	case <-proc.exited: // what it has started and what holds its output open goes with it
	case <-gone:
		p.drain()
		p.server.close() // the server is to end by itself, and may still answer
	case <-ctx.Done():
		p.server.close()
	case <-p.client.broken:
		p.server.close()
	}
	err = proc.end(p.Grace)
	select {
	case <-answered:
	case <-time.After(min(p.Grace, parting)): // somebody else holds the server's output open
		_ = proc.stdout.Close()
	}
	if no := p.refused(); no != nil {
		// The person is to see why: whatever is asked is answered so.
		p.explain(ctx, gone)
		p.end("refused: " + no.Rule)
		return ErrRefused
	}
	p.lost("the server has ended (" + ended(err) + ")")
	p.end("the server has ended: " + ended(err))
	return err
}

// farewell is how long a server may take from closing its output to its end, to
// have its exit status told.
const farewell = 300 * time.Millisecond

// lost answers what waits for a server that will not answer.
func (p *pump) lost(reason string) {
	if p.Session.Stopped() != nil {
		return
	}
	var v runtime.Verdict
	p.Session.Refuse(&runtime.Refusal{Rule: runtime.RuleLost, Reason: reason, Next: "look into its log and start it again"}, &v, time.Now())
	p.tell(&v)
}

// ended is how a process ended, in words.
func ended(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// fromClient reads the client's messages until there are no more.
func (p *pump) fromClient(ctx context.Context) {
	frames := jsonrpc.NewFramer(p.Stdin, p.MaxLine)
	var v runtime.Verdict
	for ctx.Err() == nil {
		f, err := frames.Next()
		if err != nil && !unframed(err) || !p.take(f, err, &v) {
			return
		}
	}
}

// take judges what the client has sent and sends it on, unless the session is
// over: what is recorded is also answered.
func (p *pump) take(f jsonrpc.Frame, err error, v *runtime.Verdict) bool {
	p.hand.Lock()
	defer p.hand.Unlock()
	if p.over {
		return false
	}
	now := time.Now()
	if err == nil {
		p.Session.FromClient(f.Bytes, v, now)
	} else {
		p.Session.Unframed(audit.ClientToServer, err, v, now)
	}
	p.send(v, f.Bytes, f.Line, p.server)
	return true
}

// expire answers calls whose time is over.
func (p *pump) expire(ctx context.Context) {
	var v runtime.Verdict
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.timed:
		case <-timer.C:
			p.Session.Expire(&v, time.Now())
			p.tell(&v)
		}
		if due := p.Session.Due(); !due.IsZero() {
			timer.Reset(max(0, time.Until(due)))
		}
	}
}

// fromServer reads the server's messages until there are no more.
func (p *pump) fromServer() {
	frames := jsonrpc.NewFramer(p.process.stdout, p.MaxLine)
	var v runtime.Verdict
	first := true
	for {
		f, err := frames.Next()
		if err != nil && !unframed(err) {
			return
		}
		if first && p.Answered != nil {
			if no := p.Answered(p.process.pid()); no != nil {
				p.stop(no)
				return
			}
		}
		first = false
		p.turn.Lock()
		now := time.Now()
		if err == nil {
			p.Session.FromServer(f.Bytes, &v, now)
		} else {
			p.Session.Unframed(audit.ServerToClient, err, &v, now)
		}
		p.send(&v, f.Bytes, f.Line, p.client)
		p.turn.Unlock()
	}
}

// drain waits until the server has got every call that was held back.
func (p *pump) drain() {
	for end := time.Now().Add(p.Grace); time.Now().Before(end); time.Sleep(time.Millisecond) {
		p.turn.Lock()
		waiting := p.Session.Waiting()
		p.turn.Unlock()
		if !waiting {
			return
		}
	}
}

// unframed reports whether the stream can be read on after an error.
func unframed(err error) bool {
	var bad *jsonrpc.Error
	return errors.As(err, &bad)
}

// send writes the records of a verdict on a frame and then its frames.
func (p *pump) send(v *runtime.Verdict, frame, line []byte, straight *outlet) {
	p.record(v)
	for _, f := range v.ToServer {
		p.server.write(f, frame, line, straight == p.server)
	}
	for _, f := range v.ToClient {
		p.client.write(f, frame, line, straight == p.client)
	}
	p.follow(v)
}

// tell is send for what comes of no frame: answers to what is open, few and
// short. They wait for nobody, so that a server which is to be stopped is,
// although the client does not read.
func (p *pump) tell(v *runtime.Verdict) {
	p.record(v)
	for _, f := range v.ToServer {
		p.server.push(f)
	}
	for _, f := range v.ToClient {
		p.client.push(f)
	}
	p.follow(v)
}

// record writes the records of a verdict.
func (p *pump) record(v *runtime.Verdict) {
	for i := range v.Records {
		r := &v.Records[i]
		r.Duration = time.Since(r.Time)
		if err := p.note(r); err != nil {
			p.unrecorded(v, err)
			break
		}
	}
}

// follow does what a verdict asks for besides frames.
func (p *pump) follow(v *runtime.Verdict) {
	if v.Stop != nil {
		p.stop(v.Stop)
	}
	if !p.Session.Due().IsZero() {
		select {
		case p.timed <- struct{}{}:
		default:
		}
	}
}

// unrecorded takes back what cannot be recorded, and refuses all that follows.
func (p *pump) unrecorded(v *runtime.Verdict, err error) {
	no := &runtime.Refusal{Rule: "shim/audit", Reason: "the decision cannot be recorded: " + err.Error(), Next: "make room for the audit log"}
	var all runtime.Verdict
	p.Session.Refuse(no, &all, time.Now())
	for _, f := range v.ToClient {
		// Somebody waits for this answer, which must not go on.
		if id, kind := jsonrpc.Salvage(f); kind == jsonrpc.Response {
			all.ToClient = append(all.ToClient, jsonrpc.AppendError(nil, id, runtime.CodeDenied, "Sallyport: the answer was withheld: "+no.Reason+" ["+no.Rule+"]", nil))
		}
	}
	v.ToServer, v.ToClient, v.Stop = nil, all.ToClient, no
}

func (p *pump) note(r *audit.Record) error {
	if p.Record == nil {
		return nil
	}
	if err := p.Record(r); err != nil && !p.LossyAudit {
		return err
	}
	return nil
}

// end is the last of a session. Who does not read its answers is not waited for.
func (p *pump) end(reason string) {
	for left := parting; left > 0; left -= time.Millisecond {
		if p.hand.TryLock() {
			p.over = true
			p.hand.Unlock()
			break
		}
		time.Sleep(time.Millisecond)
	}
	r := p.Session.End(reason, time.Now())
	_ = p.note(&r) // nothing follows that could be refused
}

// stop ends the server because of a decision.
func (p *pump) stop(no *runtime.Refusal) {
	p.locked.Lock()
	p.refuse = no
	p.locked.Unlock()
	if p.Session.Stopped() == nil {
		var v runtime.Verdict
		p.Session.Refuse(no, &v, time.Now())
		p.tell(&v)
	}
	if p.process != nil {
		p.process.kill()
	}
}

func (p *pump) refused() *runtime.Refusal {
	p.locked.Lock()
	defer p.locked.Unlock()
	return p.refuse
}

// renew hands new guards to the session.
func (p *pump) renew(ctx context.Context) {
	var v runtime.Verdict
	for {
		select {
		case <-ctx.Done():
			return
		case g, ok := <-p.Guards:
			if !ok {
				return
			}
			p.Session.Renew(g, &v, time.Now())
			p.tell(&v)
		}
	}
}
