package telemetry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport-mcp/sallyport/runtime/audit"
)

// collector receives OTLP over HTTP, as any OpenTelemetry collector does.
type collector struct {
	*httptest.Server
	sync.Mutex
	spans    []*trace.Span
	metrics  map[string]*metrics.Metric // the last of each name
	resource map[string]string
	raw      strings.Builder // all that came, to look for what must not
	headers  []string
}

func newCollector(t *testing.T) *collector {
	c := &collector{metrics: map[string]*metrics.Metric{}, resource: map[string]string{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		c.Lock()
		defer c.Unlock()
		c.raw.Write(body)
		c.headers = append(c.headers, r.Header.Get("X-Team"))
		switch r.URL.Path {
		case "/v1/traces":
			var got coltrace.ExportTraceServiceRequest
			if err := proto.Unmarshal(body, &got); err != nil {
				t.Error(err)
			}
			for _, rs := range got.ResourceSpans {
				for _, a := range rs.Resource.Attributes {
					c.resource[a.Key] = a.Value.GetStringValue()
				}
				for _, ss := range rs.ScopeSpans {
					c.spans = append(c.spans, ss.Spans...)
				}
			}
		case "/v1/metrics":
			var got colmetrics.ExportMetricsServiceRequest
			if err := proto.Unmarshal(body, &got); err != nil {
				t.Error(err)
			}
			for _, rm := range got.ResourceMetrics {
				for _, sm := range rm.ScopeMetrics {
					for _, m := range sm.Metrics {
						c.metrics[m.Name] = m
					}
				}
			}
		default:
			t.Errorf("request for %s", r.URL.Path)
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

func attributes(list []*common.KeyValue) map[string]string {
	m := map[string]string{}
	for _, a := range list {
		m[a.Key] = fmt.Sprint(a.Value.GetStringValue())
		if b, ok := a.Value.Value.(*common.AnyValue_BoolValue); ok {
			m[a.Key] = fmt.Sprint(b.BoolValue)
		}
	}
	return m
}

var at = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// story is two calls, one answered and one refused, and hostile names.
func story() []*audit.Record {
	server := &audit.Server{Entry: "files", Name: "files"}
	rec := func(after time.Duration, id string, more audit.Record) *audit.Record {
		more.Time, more.Session, more.Server, more.RequestID, more.Protocol = at.Add(after), "s1", server, json.RawMessage(id), "2025-11-25"
		if more.Direction == "" {
			more.Direction = audit.ClientToServer
		}
		more.Reason, more.Duration = "a sentence with private words", 20*time.Microsecond
		return &more
	}
	return []*audit.Record{
		rec(0, "", audit.Record{Decision: audit.Start, Direction: audit.Shim}),
		rec(1*time.Second, "1", audit.Record{Decision: audit.Allow, Method: "tools/call", Name: "read_file", Enforced: true}),
		// The server asks under the same id: that is no answer.
		rec(2*time.Second, "1", audit.Record{Decision: audit.Allow, Direction: audit.ServerToClient, Method: "sampling/createMessage", Enforced: true}),
		rec(4*time.Second, "1", audit.Record{Decision: audit.Change, Direction: audit.ServerToClient, Method: "tools/call", Name: "read_file", Enforced: true, Rule: "dsc-hidden", Findings: []audit.Finding{{RuleID: "dsc-hidden", Severity: "high", Field: "private.field"}}}),
		rec(5*time.Second, "2", audit.Record{Decision: audit.Deny, Method: "tools/call", Name: "private_tool_name", Enforced: true, Rule: "registry/tools"}),
		rec(6*time.Second, "3", audit.Record{Decision: audit.Deny, Method: "private/method", Enforced: false, Rule: "policy/methods"}),
		rec(7*time.Second, "", audit.Record{Decision: audit.End, Direction: audit.Shim}),
	}
}

func knownTool(entry, tool string) bool { return entry == "files" && tool == "read_file" }

// TestOTLP: a collector receives a span for each operation, and the metrics.
func TestOTLP(t *testing.T) {
	c := newCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=security")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=prod")
	tel, err := Start(context.Background(), Options{Known: knownTool, Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range story() {
		tel.Observe(r)
	}
	if err := tel.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	c.Lock()
	defer c.Unlock()
	if len(c.spans) != 2 {
		t.Fatalf("%d spans: %v", len(c.spans), c.spans)
	}
	slices.SortFunc(c.spans, func(a, b *trace.Span) int { return strings.Compare(b.Name, a.Name) })
	answered, refused := c.spans[0], c.spans[1]
	about := attributes(answered.Attributes)
	if answered.Name != "tools/call read_file" || answered.EndTimeUnixNano-answered.StartTimeUnixNano != uint64(3*time.Second) ||
		about["mcp.method.name"] != "tools/call" || about["gen_ai.tool.name"] != "read_file" || about["mcp.session.id"] != "s1" || about["jsonrpc.request.id"] != "1" ||
		about["mcp.protocol.version"] != "2025-11-25" || about["sallyport.decision"] != "change" || len(answered.Events) != 1 || answered.Status.GetCode() != trace.Status_STATUS_CODE_UNSET {
		t.Errorf("%v", answered)
	}
	if refused.Name != "tools/call" || refused.Status.GetCode() != trace.Status_STATUS_CODE_ERROR || attributes(refused.Attributes)["error.type"] != "registry/tools" {
		t.Errorf("%v", refused)
	}
	if c.resource["service.name"] != "sallyport" || c.resource["service.version"] != "1.2.3" || c.resource["deployment.environment.name"] != "prod" || !slices.Contains(c.headers, "security") {
		t.Errorf("%v %v", c.resource, c.headers)
	}
	total := int64(0)
	for _, p := range c.metrics["sallyport.decisions"].GetSum().GetDataPoints() {
		total += p.GetAsInt()
	}
	if total != int64(len(story())) {
		t.Errorf("%d decisions", total)
	}
	for _, name := range []string{"sallyport.refusals", "sallyport.findings", "sallyport.judging.duration", "mcp.client.operation.duration", "sallyport.telemetry.dropped"} {
		if c.metrics[name] == nil {
			t.Errorf("no metric %s", name)
		}
	}
	if found := regexp.MustCompile("private[ -~]*").FindString(c.raw.String()); found != "" {
		t.Errorf("%q left the machine", found)
	}
}

func scrape(t *testing.T, addr, host string) (string, int) {
	t.Helper()
	req, err := http.NewRequest("GET", "http://"+addr+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body), resp.StatusCode
}

// TestPrometheus: what is scraped, and by whom.
func TestPrometheus(t *testing.T) {
	tel, err := Start(context.Background(), Options{Metrics: "0", Known: knownTool})
	if err != nil {
		t.Fatal(err)
	}
	defer tel.Close(context.Background())
	if !strings.HasPrefix(tel.Addr(), "127.0.0.1:") {
		t.Errorf("listens on %s", tel.Addr())
	}
	for _, r := range story() {
		tel.Observe(r)
	}
	body := ""
	for range 500 {
		if body, _ = scrape(t, tel.Addr(), ""); strings.Contains(body, `decision="end"`) {
			// Counted while this was gathered, perhaps: the next has all of it.
			body, _ = scrape(t, tel.Addr(), "")
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	for _, want := range []string{
		`sallyport_decisions_total{decision="allow",direction="client-to-server",enforced="true",method="tools/call",server="files",tool="read_file"} 1`,
		`sallyport_decisions_total{decision="deny",direction="client-to-server",enforced="true",method="tools/call",server="files",tool="_OTHER"} 1`,
		`sallyport_decisions_total{decision="deny",direction="client-to-server",enforced="false",method="_OTHER",server="files",tool=""} 1`,
		`sallyport_refusals_total{enforced="true",rule="registry/tools",server="files"} 1`,
		`sallyport_findings_total{rule="dsc-hidden",severity="high"} 1`,
		`sallyport_operation_seconds_sum{direction="client-to-server",method="tools/call",server="files",tool="read_file"} 3`,
		`sallyport_telemetry_dropped_total 0`,
		"sallyport_judging_seconds_bucket", "go_goroutines", "process_resident_memory_bytes",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(body, "private") {
		t.Error("a name that is no label is in the metrics")
	}
	for host, want := range map[string]int{"localhost:1": 200, "127.0.0.1": 200, "[::1]:9": 200, "rebound.example.com": 403} {
		if _, code := scrape(t, tel.Addr(), host); code != want {
			t.Errorf("Host %s: %d, want %d", host, code, want)
		}
	}
	if _, err := Start(context.Background(), Options{Metrics: tel.Addr()}); err == nil {
		t.Error("an address that is taken was accepted")
	}
}

func TestListenAddress(t *testing.T) {
	for in, want := range map[string]string{"9464": "127.0.0.1:9464", ":9464": "127.0.0.1:9464", "0.0.0.0:1": "0.0.0.0:1", "[::1]:2": "[::1]:2", "localhost:3": "localhost:3", "x": "", "1:2:3": "", "99999": "", ":http": ""} {
		if got, err := listenAddress(in); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q %v, want %q", in, got, err, want)
		}
	}
}

// TestEnvironment: what the standard variables ask for.
func TestEnvironment(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want wants
		err  string
	}{
		{nil, wants{}, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, wants{true, true}, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_METRICS_EXPORTER": "none"}, wants{true, false}, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:1"}, wants{false, true}, ""},
		{map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, wants{true, false}, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "TRUE"}, wants{}, ""},
		{map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, wants{}, "only otlp and none"},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, wants{}, "only http/protobuf"},
	} {
		t.Run(fmt.Sprint(c.env), func(t *testing.T) {
			for _, name := range []string{"OTEL_SDK_DISABLED", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"} {
				t.Setenv(name, c.env[name])
			}
			got, err := otlpWanted()
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Error(err)
				}
				if _, err := Start(context.Background(), Options{}); err == nil {
					t.Error("started")
				}
			} else if got != c.want || err != nil {
				t.Errorf("%v %v", got, err)
			}
		})
	}
}

// TestOff: without anything to do there is nothing, and nothing may be called.
func TestOff(t *testing.T) {
	t.Setenv("OTEL_SDK_DISABLED", "true")
	tel, err := Start(context.Background(), Options{})
	if tel != nil || err != nil {
		t.Fatal(tel, err)
	}
	tel.Observe(story()[1])
	if tel.Addr() != "" || tel.Dropped() != 0 || tel.Close(context.Background()) != nil {
		t.Error("a nil Telemetry does something")
	}
}

// TestDeadCollector: a collector that hangs costs Close its deadline and
// Observe nothing; one that refuses is told of once.
func TestDeadCollector(t *testing.T) {
	release := make(chan struct{})
	hang := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hang.Close()
	defer close(release)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", hang.URL)
	t.Setenv("OTEL_METRICS_EXPORTER", "none")
	tel, err := Start(context.Background(), Options{Queue: 8})
	if err != nil {
		t.Fatal(err)
	}
	for range 10000 {
		for _, r := range story() {
			tel.Observe(r)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_ = tel.Close(ctx)

	refuse := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer refuse.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", refuse.URL)
	var told []string
	tel, err = Start(context.Background(), Options{Warn: func(s string) { told = append(told, s) }})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range story() {
		tel.Observe(r)
	}
	_ = tel.Close(context.Background())
	if len(told) != 1 || !strings.Contains(told[0], "403") {
		t.Error(told)
	}
}

// TestQueue: what does not fit is counted.
func TestQueue(t *testing.T) {
	tel := &Telemetry{o: Options{Known: knownTool}, events: make(chan event, 2)}
	for range 5 {
		tel.Observe(story()[1])
	}
	if tel.Dropped() != 3 {
		t.Error(tel.Dropped())
	}
}

// TestBounds: neither labels nor open calls grow without end.
func TestBounds(t *testing.T) {
	l, c := labels{}, calls{}
	for i := range 20000 {
		e := event{server: fmt.Sprint("s", i), rule: fmt.Sprint("r", i), tool: fmt.Sprint("t", i), method: "tools/call", id: fmt.Sprint(i), down: true, session: "s"}
		l.bound(&e)
		c.take(&e)
	}
	if len(l) > 3*maxLabels+3 || len(c) > maxCalls {
		t.Error(len(l), len(c))
	}
	e := event{server: "s0", rule: "new"}
	if l.bound(&e); e.server != "s0" || e.rule != other {
		t.Error(e)
	}
	if c.take(&event{session: "s", decision: audit.End}); len(c) != 0 {
		t.Error(len(c))
	}
}

func BenchmarkObserve(b *testing.B) {
	tel, err := Start(context.Background(), Options{Metrics: "0", Known: knownTool})
	if err != nil {
		b.Fatal(err)
	}
	defer tel.Close(context.Background())
	list := story()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		tel.Observe(list[1+i%3])
		i++
	}
}
