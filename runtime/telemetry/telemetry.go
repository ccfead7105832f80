// Package telemetry turns audit records into OpenTelemetry traces and metrics,
// sent by OTLP over HTTP, and into metrics that Prometheus scrapes. It is off
// the way of a call: Observe never waits, and what does not fit into its queue
// is dropped and counted.
//
// Nothing of a message leaves by it: no argument, no text, no reason. Names
// are labels only where they come from the registry or from the MCP
// specification, so neither a client nor a server can make new ones.
//
// OTLP is configured by the standard environment variables (OpenTelemetry
// specification, "Environment Variable Specification" and "OTLP Exporter
// Configuration"); names follow the semantic conventions for MCP, version
// 1.40.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-mcp/sallyport/runtime/audit"
)

// Options say where telemetry goes. With the zero Options, and no OTEL_*
// variable that names an endpoint, it goes nowhere.
type Options struct {
	// Metrics is the address of the Prometheus endpoint: "9464" and ":9464"
	// are on the loopback interface; any other interface must be named.
	Metrics string
	// Known reports whether a tool is one that the registry names for an
	// entry. Only such a tool is a label; nil knows none.
	Known   func(entry, tool string) bool
	Version string               // of the program
	Queue   int                  // records that may wait (4096)
	Warn    func(problem string) // told once of a collector that does not take what is sent
}

// Telemetry is a running exporter. A nil one observes nothing.
type Telemetry struct {
	o       Options
	events  chan event
	dropped atomic.Uint64
	done    chan struct{} // closed when the last event was handled
	stop    sync.Once
	quit    chan struct{}

	labels labels
	calls  calls
	meters []meter
	traces *otlp
	prom   *prom
}

// meter is a place where metrics go.
type meter interface {
	decided(e *event)
	answered(e *event, took time.Duration)
}

// Start starts what is asked for: nil when nothing is.
func Start(ctx context.Context, o Options) (*Telemetry, error) {
	wanted, err := otlpWanted()
	if err != nil {
		return nil, err
	}
	if o.Metrics == "" && !wanted.traces && !wanted.metrics {
		return nil, nil
	}
	if o.Queue <= 0 {
		o.Queue = 4096
	}
	if o.Known == nil {
		o.Known = func(string, string) bool { return false }
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	t := &Telemetry{o: o, events: make(chan event, o.Queue), done: make(chan struct{}), quit: make(chan struct{}), labels: labels{}, calls: calls{}}
	if o.Metrics != "" {
		if t.prom, err = startPrometheus(o.Metrics, t.dropped.Load); err != nil {
			return nil, err
		}
		t.meters = append(t.meters, t.prom)
	}
	if wanted.traces || wanted.metrics {
		if t.traces, err = startOTLP(ctx, wanted, o, t.dropped.Load); err != nil {
			if t.prom != nil {
				err = errors.Join(err, t.prom.close(ctx))
			}
			return nil, err
		}
		if wanted.metrics {
			t.meters = append(t.meters, t.traces)
		}
	}
	go t.run()
	return t, nil
}

// wants says what is to be sent by OTLP.
type wants struct{ traces, metrics bool }

// otlpWanted reads the variables that say whether anything is sent; where and
// how is read by the exporters.
func otlpWanted() (w wants, err error) {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return wants{}, nil
	}
	for _, signal := range []struct {
		name string
		into *bool
	}{{"TRACES", &w.traces}, {"METRICS", &w.metrics}} {
		exporter := os.Getenv("OTEL_" + signal.name + "_EXPORTER")
		endpoint := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") + os.Getenv("OTEL_EXPORTER_OTLP_"+signal.name+"_ENDPOINT")
		switch exporter {
		case "otlp":
			*signal.into = true
		case "none":
		case "":
			*signal.into = endpoint != ""
		default:
			return w, fmt.Errorf("OTEL_%s_EXPORTER=%q: only otlp and none are understood", signal.name, exporter)
		}
		for _, name := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_" + signal.name + "_PROTOCOL"} {
			if p := os.Getenv(name); *signal.into && p != "" && p != "http/protobuf" {
				return w, fmt.Errorf("%s=%q: only http/protobuf is understood", name, p)
			}
		}
	}
	return w, nil
}

// Observe takes note of a record. It keeps nothing of it but what is
// documented, and returns at once.
func (t *Telemetry) Observe(r *audit.Record) {
	if t == nil {
		return
	}
	select {
	case t.events <- t.event(r):
	default:
		t.dropped.Add(1)
	}
}

// Addr is where Prometheus finds the metrics; "" when it does not.
func (t *Telemetry) Addr() string {
	if t == nil || t.prom == nil {
		return ""
	}
	return t.prom.addr
}

// Dropped is how many records did not fit into the queue.
func (t *Telemetry) Dropped() uint64 {
	if t == nil {
		return 0
	}
	return t.dropped.Load()
}

// Close hands on what is in the queue and sends it, for as long as ctx allows.
// Observe must not be called any more.
func (t *Telemetry) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	var err error
	t.stop.Do(func() {
		close(t.quit)
		select {
		case <-t.done:
		case <-ctx.Done():
			err = ctx.Err()
		}
		if t.traces != nil {
			err = errors.Join(err, t.traces.close(ctx))
		}
		if t.prom != nil {
			err = errors.Join(err, t.prom.close(ctx))
		}
	})
	return err
}

func (t *Telemetry) run() {
	defer close(t.done)
	for {
		select {
		case e := <-t.events:
			t.handle(&e)
		case <-t.quit:
			for {
				select {
				case e := <-t.events:
					t.handle(&e)
				default:
					return
				}
			}
		}
	}
}

func (t *Telemetry) handle(e *event) {
	t.labels.bound(e)
	for _, m := range t.meters {
		m.decided(e)
	}
	request, took, ok := t.calls.take(e)
	if !ok {
		return
	}
	for _, m := range t.meters {
		m.answered(request, took)
	}
	if t.traces != nil {
		t.traces.span(request, e, took)
	}
}
