package telemetry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"
)

const scope = "github.com/sallyport-mcp/sallyport"

// What the semantic conventions have no name for.
const (
	serverKey    = attribute.Key("sallyport.server")
	decisionKey  = attribute.Key("sallyport.decision")
	enforcedKey  = attribute.Key("sallyport.enforced")
	ruleKey      = attribute.Key("sallyport.rule")
	severityKey  = attribute.Key("sallyport.severity")
	directionKey = attribute.Key("sallyport.direction")
)

// otlp sends traces and metrics to a collector.
type otlp struct {
	spans   *sdktrace.TracerProvider // nil when not wanted
	numbers *sdkmetric.MeterProvider

	tracer    trace.Tracer
	decisions metric.Int64Counter
	refusals  metric.Int64Counter
	findings  metric.Int64Counter
	judging   metric.Float64Histogram
	operation metric.Float64Histogram
}

func startOTLP(ctx context.Context, want wants, o Options, dropped func() uint64) (*otlp, error) {
	fail := func(err error) (*otlp, error) {
		return nil, fmt.Errorf("telemetry: %w; see OTEL_EXPORTER_OTLP_ENDPOINT and its kin", err)
	}
	// OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME come last: they win.
	about, err := resource.New(ctx, resource.WithAttributes(semconv.ServiceName("sallyport"), semconv.ServiceVersion(o.Version)), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return fail(err)
	}
	var once sync.Once
	warn := func(err error) {
		once.Do(func() { o.Warn("the collector of telemetry does not take what is sent: " + err.Error()) })
	}
	t := &otlp{}
	if want.traces {
		exporter, err := otlptracehttp.New(ctx)
		if err != nil {
			return fail(err)
		}
		t.spans = sdktrace.NewTracerProvider(sdktrace.WithBatcher(quietSpans{exporter, warn}), sdktrace.WithResource(about))
		t.tracer = t.spans.Tracer(scope, trace.WithInstrumentationVersion(o.Version), trace.WithSchemaURL(semconv.SchemaURL))
	}
	if !want.metrics {
		return t, nil
	}
	exporter, err := otlpmetrichttp.New(ctx)
	if err != nil {
		return fail(err)
	}
	t.numbers = sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(quietNumbers{exporter, warn})), sdkmetric.WithResource(about))
	m := t.numbers.Meter(scope, metric.WithInstrumentationVersion(o.Version), metric.WithSchemaURL(semconv.SchemaURL))
	var errs [6]error
	t.decisions, errs[0] = m.Int64Counter("sallyport.decisions", metric.WithUnit("{decision}"), metric.WithDescription("Decisions about messages and sessions."))
	t.refusals, errs[1] = m.Int64Counter("sallyport.refusals", metric.WithUnit("{message}"), metric.WithDescription("What was kept from its receiver, or would have been, by the rule that decided."))
	t.findings, errs[2] = m.Int64Counter("sallyport.findings", metric.WithUnit("{finding}"), metric.WithDescription("Findings of checks in messages."))
	t.judging, errs[3] = m.Float64Histogram("sallyport.judging.duration", metric.WithUnit("s"), metric.WithDescription("Time that judging one message took."), metric.WithExplicitBucketBoundaries(judgingBounds...))
	t.operation, errs[4] = m.Float64Histogram("mcp.client.operation.duration", metric.WithUnit("s"), metric.WithDescription("The duration of an MCP request from the time it was sent on until its answer came."), metric.WithExplicitBucketBoundaries(operationBounds...))
	_, errs[5] = m.Int64ObservableCounter("sallyport.telemetry.dropped", metric.WithUnit("{record}"), metric.WithDescription("Records that did not fit into the queue of telemetry."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error { o.Observe(int64(dropped())); return nil }))
	if err := errors.Join(errs[:]...); err != nil {
		return fail(err)
	}
	return t, nil
}

// quietSpans tells of errors once, on our own way: the SDK's own handler would
// print each on standard error, into the client's log.
type quietSpans struct {
	sdktrace.SpanExporter
	warn func(error)
}

func (q quietSpans) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := q.SpanExporter.ExportSpans(ctx, spans); err != nil {
		q.warn(err)
	}
	return nil
}

type quietNumbers struct {
	sdkmetric.Exporter
	warn func(error)
}

func (q quietNumbers) Export(ctx context.Context, m *metricdata.ResourceMetrics) error {
	if err := q.Exporter.Export(ctx, m); err != nil {
		q.warn(err)
	}
	return nil
}

func (t *otlp) decided(e *event) {
	ctx := context.Background()
	about := []attribute.KeyValue{serverKey.String(e.server), directionKey.String(direction(e.down)), decisionKey.String(e.decision), enforcedKey.Bool(e.enforced)}
	t.decisions.Add(ctx, 1, metric.WithAttributes(append(about, e.what()...)...))
	if e.refused {
		t.refusals.Add(ctx, 1, metric.WithAttributes(serverKey.String(e.server), ruleKey.String(e.rule), enforcedKey.Bool(e.enforced)))
	}
	for _, f := range e.findings {
		t.findings.Add(ctx, 1, metric.WithAttributes(ruleKey.String(f.rule), severityKey.String(f.severity)))
	}
	t.judging.Record(ctx, e.took.Seconds(), metric.WithAttributes(append(e.what(), directionKey.String(direction(e.down)))...))
}

func (t *otlp) answered(e *event, took time.Duration) {
	about := append(e.what(), serverKey.String(e.server), directionKey.String(direction(e.down)))
	if e.refused && e.enforced {
		about = append(about, semconv.ErrorTypeKey.String(e.rule))
	}
	t.operation.Record(context.Background(), took.Seconds(), metric.WithAttributes(about...))
}

// what are the attributes of the operation, as the conventions name them.
func (e *event) what() []attribute.KeyValue {
	var all []attribute.KeyValue
	if e.method != "" {
		all = append(all, semconv.McpMethodNameKey.String(e.method))
	}
	if e.tool != "" {
		all = append(all, semconv.GenAIToolName(e.tool))
	}
	return all
}

// span is an operation: a request and its answer, which is the same event
// where the request was refused.
func (t *otlp) span(request, answer *event, took time.Duration) {
	if t.tracer == nil {
		return
	}
	name := request.method
	if request.tool != "" && request.tool != other {
		name += " " + request.tool
	}
	about := append(request.what(), serverKey.String(request.server), directionKey.String(direction(request.down)), decisionKey.String(answer.decision),
		enforcedKey.Bool(answer.enforced), semconv.McpSessionID(request.session), semconv.JSONRPCRequestID(request.id))
	if request.tool != "" {
		about = append(about, semconv.GenAIOperationNameExecuteTool)
	}
	if request.protocol != "" {
		about = append(about, semconv.McpProtocolVersion(request.protocol))
	}
	_, span := t.tracer.Start(context.Background(), name, trace.WithTimestamp(request.at), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(about...))
	for _, e := range []*event{request, answer} {
		for _, f := range e.findings {
			span.AddEvent("sallyport.finding", trace.WithTimestamp(e.at), trace.WithAttributes(ruleKey.String(f.rule), severityKey.String(f.severity)))
		}
		if e.refused {
			span.SetAttributes(ruleKey.String(e.rule))
			if e.enforced {
				span.SetAttributes(semconv.ErrorTypeKey.String(e.rule))
				span.SetStatus(codes.Error, e.decision+" by "+e.rule)
			}
		}
		if request == answer {
			break
		}
	}
	span.End(trace.WithTimestamp(request.at.Add(took)))
}

func (t *otlp) close(ctx context.Context) error {
	var errs []error
	if t.spans != nil {
		errs = append(errs, t.spans.Shutdown(ctx))
	}
	if t.numbers != nil {
		errs = append(errs, t.numbers.Shutdown(ctx))
	}
	return errors.Join(errs...)
}
