package trn

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed request_collector.md
var requestCollectorPage string

// RequestCollector flags hosts that anybody can collect data at, or serve data
// from, without a name of their own.
var RequestCollector = rules.Rule{
	ID:         "request-collector",
	Title:      "Configuration names a throw-away endpoint",
	Severity:   rules.High,
	Confidence: rules.Firm,
	CWE:        []int{201, 829},
	Covers:     []string{"TRN-017", "SEC-015"},
	Page:       requestCollectorPage,
	Check:      checkRequestCollector,
}

func checkRequestCollector(pass *rules.Pass) {
	places(pass, func(p place) {
		text := p.text.Raw()
		seen := map[string]bool{}
		for start, end := range hosts(text) {
			host := strings.ToLower(text[start:end])
			class, name := collectorOf(host, text[end:min(len(text), end+64)])
			inPath := start > 0 && text[start-1] == '/' && !strings.HasSuffix(text[:start], "//")
			if class == nil || inPath || seen[host] || own(p, name) || class.urls && !strings.HasSuffix(text[:start], "//") {
				continue
			}
			seen[host] = true
			f := p.finding(start, end, host, "%s names %q, %s. %s.", p.who(), analyzers.Untrusted(host), class.what, class.advice)
			f.Severity = class.severity
			pass.Report(f)
		}
	})
}

// collector is a class of services. Their hosts are facts about public
// services, matched label by label from the right.
type collector struct {
	severity rules.Severity
	what     string
	advice   string
	paths    bool // only below these paths: "host/path"
	urls     bool // only in URLs: "temp.sh" is a script as well
	hosts    string
}

var collectors = []collector{
	{severity: rules.High,
		what: "where whatever is sent lands with whoever opened a page there", advice: "Remove the endpoint and replace the credentials that the server could read",
		hosts: `webhook.site requestbin.com requestbin.net requestcatcher.com beeceptor.com hookbin.com postb.in ptsv2.com ptsv3.com requestrepo.com
			m.pipedream.net webhook.cool typedwebhook.tools mocky.io canarytokens.com canarytokens.org requestinspector.com putsreq.com
			interact.sh oast.pro oast.live oast.site oast.online oast.fun oast.me oastify.com burpcollaborator.net dnslog.cn ceye.io
			bxss.me xss.ht xss.report ezxss.com dnsbin.zhack.ca log.xn--9tr.com eyes.sh`},
	{severity: rules.Medium,
		what: "a tunnel whose name goes to whoever opens it next", advice: "Use a host of the operator's own",
		hosts: `ngrok.io ngrok.app ngrok.dev ngrok-free.app ngrok-free.dev trycloudflare.com loca.lt localtunnel.me serveo.net localhost.run lhr.life lhr.rocks
			bore.pub tunnelmole.net pinggy.link pinggy.io zrok.io telebit.cloud pagekite.me devtunnels.ms smee.io tunnelto.dev playit.gg`},
	{severity: rules.Medium, urls: true,
		what: "where anybody can leave a file, and its owner can change it", advice: "Take the file from the operator's own host, with a digest",
		hosts: `pastebin.com paste.ee hastebin.com ghostbin.com ghostbin.co rentry.co rentry.org dpaste.com dpaste.org transfer.sh file.io 0x0.st termbin.com ix.io
			sprunge.us gofile.io catbox.moe temp.sh bashupload.com anonfiles.com privatebin.net controlc.com paste.rs filebin.net tmpfiles.org pixeldrain.com`},
	{severity: rules.Medium, paths: true,
		what: "a chat's inbox that any program can post data to unseen", advice: "Remove it, or take it from the environment where the server's purpose is to post there",
		hosts: `discord.com/api/webhooks discordapp.com/api/webhooks api.telegram.org/bot hooks.slack.com/services hooks.slack.com/workflows hooks.zapier.com/hooks hook.eu1.make.com/ hook.us1.make.com/`},
}

// collectorOf finds the class of a host with what follows it in the text, and
// the service's own name.
func collectorOf(host, after string) (class *collector, name string) {
	for tail := host; tail != ""; {
		if c := byHost[tail]; c != nil && !c.paths {
			return c, tail
		}
		_, rest, ok := strings.Cut(tail, ".")
		if !ok {
			break
		}
		tail = rest
	}
	for path, c := range byPath {
		if h, p, _ := strings.Cut(path, "/"); host == h && strings.HasPrefix(after, "/"+p) {
			return c, h
		}
	}
	return nil, ""
}

var byHost, byPath = index()

func index() (byHost, byPath map[string]*collector) {
	byHost, byPath = map[string]*collector{}, map[string]*collector{}
	for i := range collectors {
		c := &collectors[i]
		for entry := range strings.FieldsSeq(c.hosts) {
			if c.paths {
				byPath[entry] = c
			} else {
				byHost[entry] = c
			}
		}
	}
	return byHost, byPath
}

// own reports whether the server is about the service itself: a server for
// ngrok names ngrok.
func own(p place, service string) bool {
	if p.server == nil {
		return false
	}
	labels := strings.Split(service, ".")
	word := labels[max(len(labels)-2, 0)]
	if len(word) < 4 {
		return false
	}
	about := strings.ToLower(p.server.Name.Raw())
	for _, ref := range p.server.Packages {
		about += " " + strings.ToLower(ref.Name)
	}
	for _, ref := range p.server.Images {
		about += " " + strings.ToLower(ref.Repository)
	}
	return strings.Contains(about, word)
}

// hosts yields the places of the names in a text: runs of host characters with
// a dot inside.
func hosts(text string) func(yield func(start, end int) bool) {
	return func(yield func(start, end int) bool) {
		start, dot := -1, false
		for i := 0; i <= len(text); i++ {
			if i < len(text) && (isLetter(text[i]) || text[i] >= '0' && text[i] <= '9' || text[i] == '-' || text[i] == '.') {
				if start < 0 {
					start, dot = i, false
				}
				dot = dot || text[i] == '.'
				continue
			}
			if start >= 0 && dot && i-start <= 253 && !yield(start, i) {
				return
			}
			start = -1
		}
	}
}
