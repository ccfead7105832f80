package stdio

import (
	"context"
	"io"
	"os"
	"sync"
	"time"

	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
	"github.com/sallyport-mcp/sallyport/runtime/mux"
)

// JoinOptions is what several servers behind one connection need.
type JoinOptions struct {
	Mux     *mux.Mux
	Servers int
	Stdin   io.Reader
	Stdout  io.Writer
	// Serve is Run for one server, with its own end of the connection.
	Serve func(ctx context.Context, server int, in io.Reader, out io.Writer) error
	// Record writes what the mux itself has refused. It stays refused when that
	// fails.
	Record  func(*audit.Record) error
	MaxLine int
}

// Joint is one connection of a client with several servers: each has a Run of
// its own, with pipes to the mux.
type Joint struct {
	JoinOptions
	client *outlet
	ins    []*outlet
	flow   sync.RWMutex // read-held while a frame of a server is judged and what follows is on its way to servers
}

// NewJoint prepares a connection.
func NewJoint(o JoinOptions) *Joint { return &Joint{JoinOptions: o, client: newOutlet(o.Stdout, nil)} }

// Stopped is to be called when the session of a server has stopped it. It does
// not wait for anybody.
func (j *Joint) Stopped(server int) {
	var v mux.Verdict
	j.Mux.Stopped(server, &v)
	for _, f := range v.ToClient {
		j.client.push(f)
	}
}

// Run serves until the client has gone or all servers have ended. The errors
// are those of Serve, by server.
func (j *Joint) Run(ctx context.Context) ([]error, error) {
	defer j.client.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, j.Servers)
	type end struct{ inR, inW, outR, outW *os.File }
	ends := make([]end, j.Servers)
	for i := range ends {
		var err error
		e := &ends[i]
		if e.inR, e.inW, err = os.Pipe(); err == nil {
			e.outR, e.outW, err = os.Pipe()
		}
		if err != nil {
			for _, in := range j.ins {
				in.close()
			}
			return nil, err
		}
		j.ins = append(j.ins, newOutlet(e.inW, nil))
	}
	var running sync.WaitGroup
	for i, e := range ends {
		running.Go(func() {
			errs[i] = j.Serve(ctx, i, e.inR, e.outW)
			_ = e.outW.Close() // what reads it comes to its end
			_ = e.inR.Close()  // who writes to it, too
		})
		running.Go(func() {
			j.fromServer(i, e.outR)
			_ = e.outR.Close()
		})
	}
	go j.expire(ctx)
	all := make(chan struct{})
	go func() {
		running.Wait()
		close(all)
	}()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		j.fromClient(ctx)
	}()
	select {
	case <-all:
	case <-gone:
		j.settle(ctx)
	case <-ctx.Done():
	case <-j.client.broken:
	}
	var v mux.Verdict
	j.Mux.Leave(&v)
	for _, f := range v.ToServer {
		j.ins[f.Server].push(f.Bytes)
	}
	for _, in := range j.ins {
		go in.close() // so that one that does not read holds up no other
	}
	select {
	case <-all:
	case <-time.After(patience): // a client that does not read holds up what is left
		j.client.close()
		<-all
	}
	return errs, nil
}

// patience is longer than a server may take to end.
const patience = 15 * time.Second

// settle waits until servers have been asked for all that the client has asked
// for.
func (j *Joint) settle(ctx context.Context) {
	busy := func() bool {
		j.flow.Lock() // what is on its way has arrived
		defer j.flow.Unlock()
		return j.Mux.Busy()
	}
	for busy() {
		select {
		case <-ctx.Done():
			return
		case <-j.client.broken:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

func (j *Joint) fromClient(ctx context.Context) {
	frames := jsonrpc.NewFramer(j.Stdin, j.MaxLine)
	var v mux.Verdict
	for ctx.Err() == nil {
		f, err := frames.Next()
		switch {
		case err == nil:
			j.Mux.FromClient(f.Bytes, &v, time.Now())
		case unframed(err):
			j.Mux.Unframed(err, &v, time.Now())
		default:
			return
		}
		j.note(&v)
		for _, f := range v.ToServer {
			j.ins[f.Server].write(f.Bytes, nil, nil, false)
		}
		for _, f := range v.ToClient {
			j.client.write(f, nil, nil, false)
		}
		for j.Mux.Greeting() && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}
}

func (j *Joint) fromServer(i int, out io.Reader) {
	// A session adds little to what its server has sent.
	frames := jsonrpc.NewFramer(out, max(j.MaxLine, 16<<20)+1<<20)
	var v mux.Verdict
	for {
		f, err := frames.Next()
		if err != nil && !unframed(err) {
			break
		}
		if err == nil {
			j.pass(&v, func() { j.Mux.FromServer(i, f.Bytes, &v, time.Now()) })
		}
	}
	j.pass(&v, func() { j.Mux.Lost(i, "the server has ended", &v, time.Now()) })
}

// pass sends what comes of a server's frame. Towards servers nothing waits:
// whoever reads one server must not wait for another.
func (j *Joint) pass(v *mux.Verdict, judge func()) {
	j.flow.RLock()
	judge()
	j.note(v)
	for _, f := range v.ToServer {
		j.ins[f.Server].push(f.Bytes)
	}
	j.flow.RUnlock()
	for _, f := range v.ToClient {
		j.client.write(f, nil, nil, false)
	}
}

func (j *Joint) note(v *mux.Verdict) {
	for i := range v.Records {
		if j.Record != nil {
			_ = j.Record(&v.Records[i])
		}
	}
}

// expire goes on without servers that hold something up.
func (j *Joint) expire(ctx context.Context) {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	var v mux.Verdict
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			j.pass(&v, func() { j.Mux.Expire(&v, time.Now()) })
		}
	}
}
