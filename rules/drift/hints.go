package drift

import (
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/rules"
)

// standard is what the hints are when they are not there (MCP schema.ts,
// ToolAnnotations).
var standard = map[string]bool{"readOnlyHint": false, "destructiveHint": true, "idempotentHint": false, "openWorldHint": true}

// judgeHint classifies a change of the annotations.
func judgeHint(out *Change, d manifest.Delta) {
	out.Class, out.Severity, out.Reason = Text, rules.Low, "an annotation has changed"
	if len(d.Path) == 1 { // all of them came or went
		for _, key := range []string{"readOnlyHint", "destructiveHint", "openWorldHint", "idempotentHint"} {
			one := *out
			judgeOneHint(&one, key, d.Old.Get(key), d.New.Get(key))
			if one.Severity > out.Severity {
				*out = one
			}
		}
		return
	}
	judgeOneHint(out, d.Key(), d.Old, d.New)
}

func judgeOneHint(out *Change, key string, before, after *tree.Node) {
	if _, known := standard[key]; !known {
		return
	}
	was, is := hint(key, before), hint(key, after)
	said := func(n *tree.Node, value string) bool { return n != nil && n.Text.Value.Raw() == value }
	switch {
	case key == "destructiveHint" && is && said(after, "true") && !said(before, "true"):
		out.Class, out.Severity, out.Reason = Expanding, rules.High, "the tool says now that it destroys"
	case was == is:
		out.Class, out.Severity, out.Reason = Cosmetic, rules.Info, key+" says what held without it"
	case key == "readOnlyHint" && was:
		out.Class, out.Severity, out.Reason = Expanding, rules.High, "the tool no longer says that it only reads: it may write now"
	case key == "readOnlyHint" && said(before, "false"), key == "destructiveHint" && was && said(before, "true"):
		out.Class, out.Severity, out.Reason = Poisoned, rules.High, "the tool says the opposite of what it said, and that it is harmless: clients skip their questions because of it"
	case key == "readOnlyHint":
		out.Class, out.Severity, out.Reason = Narrowing, rules.Medium, "the tool says now that it only reads: clients skip their questions because of it"
	case key == "destructiveHint" && was:
		out.Class, out.Severity, out.Reason = Narrowing, rules.Medium, "the tool no longer says that it destroys: clients skip their questions because of it"
	case key == "destructiveHint":
		out.Class, out.Severity, out.Reason = Expanding, rules.High, "the tool no longer says that it leaves everything as it is"
	case key == "openWorldHint" && is:
		out.Class, out.Severity, out.Reason = Expanding, rules.Medium, "the tool says now that it deals with the open world"
	case key == "openWorldHint":
		out.Class, out.Severity, out.Reason = Narrowing, rules.Low, "the tool says now that it deals with a closed world"
	case key == "idempotentHint" && was:
		out.Class, out.Severity, out.Reason = Expanding, rules.Low, "calling the tool again may have another effect now"
	default:
		out.Class, out.Severity, out.Reason = Narrowing, rules.Low, key+" has changed"
	}
}

func hint(key string, n *tree.Node) bool {
	if n == nil {
		return standard[key]
	}
	return n.Text.Value == "true"
}
