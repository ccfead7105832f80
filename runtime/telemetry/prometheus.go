package telemetry

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// prom is the endpoint that Prometheus scrapes.
type prom struct {
	addr   string
	server *http.Server

	decisions *prometheus.CounterVec
	refusals  *prometheus.CounterVec
	findings  *prometheus.CounterVec
	judging   *prometheus.HistogramVec
	operation *prometheus.HistogramVec
}

// Bounds of histograms, in seconds. Those of operations are the semantic
// conventions' own.
var (
	judgingBounds   = []float64{5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 5e-3, 0.02, 0.1, 1}
	operationBounds = []float64{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300}
)

func startPrometheus(address string, dropped func() uint64) (*prom, error) {
	address, err := listenAddress(address)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	p := &prom{
		addr: listener.Addr().String(),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sallyport_decisions_total", Help: "Decisions about messages and sessions."},
			[]string{"server", "method", "tool", "direction", "decision", "enforced"}),
		refusals:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sallyport_refusals_total", Help: "What was kept from its receiver, or would have been, by the rule that decided."}, []string{"server", "rule", "enforced"}),
		findings:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sallyport_findings_total", Help: "Findings of checks in messages."}, []string{"rule", "severity"}),
		judging:   prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sallyport_judging_seconds", Help: "Time that judging one message took.", Buckets: judgingBounds}, []string{"method", "direction"}),
		operation: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sallyport_operation_seconds", Help: "Time from a request to its answer.", Buckets: operationBounds}, []string{"server", "method", "tool", "direction"}),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(p.decisions, p.refusals, p.findings, p.judging, p.operation, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "sallyport_telemetry_dropped_total", Help: "Records that did not fit into the queue of telemetry."}, func() float64 { return float64(dropped()) }))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", sameHost(listener.Addr(), promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})))
	p.server = &http.Server{Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 15 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	go p.server.Serve(listener)
	return p, nil
}

// listenAddress reads --metrics: a port alone is one of the loopback
// interface.
func listenAddress(s string) (string, error) {
	if !strings.Contains(s, ":") {
		s = ":" + s
	}
	host, port, err := net.SplitHostPort(s)
	n, convErr := strconv.ParseUint(port, 10, 16)
	if err != nil || convErr != nil {
		return "", fmt.Errorf("metrics: %q is no address: a port (9464) or HOST:PORT", s)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), nil
}

// sameHost refuses requests for another name than this machine's where only
// this machine is listened to: a page in a browser must not read the metrics
// under a name of its own (DNS rebinding).
func sameHost(addr net.Addr, next http.Handler) http.Handler {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsLoopback() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = strings.Trim(r.Host, "[]")
		}
		if ip := net.ParseIP(host); ip == nil && !strings.EqualFold(host, "localhost") {
			http.Error(w, "another host", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func direction(down bool) string {
	if down {
		return "client-to-server"
	}
	return "server-to-client"
}

func (p *prom) decided(e *event) {
	enforced := strconv.FormatBool(e.enforced)
	p.decisions.WithLabelValues(e.server, e.method, e.tool, direction(e.down), e.decision, enforced).Inc()
	if e.refused {
		p.refusals.WithLabelValues(e.server, e.rule, enforced).Inc()
	}
	for _, f := range e.findings {
		p.findings.WithLabelValues(f.rule, f.severity).Inc()
	}
	p.judging.WithLabelValues(e.method, direction(e.down)).Observe(e.took.Seconds())
}

func (p *prom) answered(e *event, took time.Duration) {
	p.operation.WithLabelValues(e.server, e.method, e.tool, direction(e.down)).Observe(took.Seconds())
}

func (p *prom) close(ctx context.Context) error { return p.server.Shutdown(ctx) }
