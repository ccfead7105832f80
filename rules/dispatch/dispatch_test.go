package dispatch_test

import (
	"encoding/json"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules/dispatch"
)

func tool(name, description, schema string) *analyzers.Tool {
	t := &analyzers.Tool{InputSchema: json.RawMessage(schema)}
	t.Name.Value, t.Description.Value = analyzers.Untrusted(name), analyzers.Untrusted(description)
	return t
}

func TestOf(t *testing.T) {
	for _, c := range []struct {
		name, description, schema string
		want                      dispatch.Shape
	}{
		{"call_tool", "", `{"properties":{"tool_name":{"type":"string"},"arguments":{"type":"object"}}}`, dispatch.Shape{Name: "tool_name", Arguments: "arguments"}},
		{"mcp-exec", "", `{"properties":{"name":{"type":"string"},"arguments":{"type":"object"}}}`, dispatch.Shape{Name: "name", Arguments: "arguments"}},
		{"gateway", "", `{"properties":{"tool":{"type":["string","null"]},"params":{}}}`, dispatch.Shape{Name: "tool", Arguments: "params"}},
		{"multi", "", `{"properties":{"calls":{"type":"array","items":{"properties":{"toolName":{"type":"string"},"args":{"type":"string"}}}}}}`, dispatch.Shape{Name: "calls.toolName", Arguments: "calls.args"}},
		{"proxy", "", `{"properties":{"x":true,"tool":{"type":"string"},"y":7,"arguments":true}}`, dispatch.Shape{Name: "tool", Arguments: "arguments"}},
		{"run_code", "Runs TypeScript in which all tools can be called as functions.", `{"properties":{"code":{"type":"string"}}}`, dispatch.Shape{Code: "code"}},
	} {
		if got, ok := dispatch.Of(tool(c.name, c.description, c.schema)); !ok || got != c.want {
			t.Errorf("%s: %+v, %v", c.name, got, ok)
		}
	}
	for _, c := range [][3]string{
		{"create_user", "Creates a user.", `{"properties":{"name":{"type":"string"},"data":{"type":"object"}}}`},
		{"describe_tool", "Describes a tool.", `{"properties":{"tool_name":{"type":"string"}}}`},
		{"render", "Renders a template.", `{"properties":{"function":{"type":"string"},"parameters":{"type":"object"}}}`},
		{"run_python", "Runs Python code in a sandbox.", `{"properties":{"code":{"type":"string"}}}`},
		{"count", "Counts tools.", `{"properties":{"tool":{"type":"integer"},"arguments":{"type":"object"}}}`},
		{"broken", "", `{"properties":[]}`}, {"none", "", ``},
	} {
		if got, ok := dispatch.Of(tool(c[0], c[1], c[2])); ok {
			t.Errorf("%s: %+v", c[0], got)
		}
	}
}

func FuzzOf(f *testing.F) {
	f.Add("call_tool", `{"properties":{"tool":{"type":"string"},"calls":{"items":{"properties":{"tool":{},"args":{}}}}}}`)
	f.Add("x", `{"properties":{"a":null,"b":{"items":null}}}`)
	f.Fuzz(func(t *testing.T, name, schema string) {
		if s, ok := dispatch.Of(tool(name, "", schema)); ok && (s.Name == "") == (s.Code == "") {
			t.Errorf("%+v", s)
		}
	})
}
