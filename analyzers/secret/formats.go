package secret

// format is a provider's own token format: a prefix, then min to max
// characters of body. The lengths are those that the providers document or
// issue, with room where they say that tokens may grow.
type format struct {
	kind, title, provider string
	prefixes              []string
	body                  class
	min, max              int
	// weak prefixes occur in other text as well: their body needs digits and
	// letters.
	weak  bool
	valid func(body string) bool
}

var formats = []format{
	{kind: "openai-key", title: "API key", provider: "OpenAI", prefixes: []string{"sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"}, body: url64, min: 40, max: 256},
	// Many compatible services issue keys of the old form.
	{kind: "openai-key", title: "API key", provider: "OpenAI", prefixes: []string{"sk-"}, body: alnum, min: 20, max: 128, weak: true},
	{kind: "anthropic-key", title: "API key or OAuth token", provider: "Anthropic", prefixes: []string{"sk-ant-"}, body: url64, min: 32, max: 256},
	{kind: "openrouter-key", title: "API key", provider: "OpenRouter", prefixes: []string{"sk-or-v1-"}, body: hexLow, min: 32, max: 64},
	{kind: "langfuse-key", title: "Secret key", provider: "Langfuse", prefixes: []string{"sk-lf-"}, body: hexLow | dash, min: 36, max: 36},
	{kind: "elevenlabs-key", title: "API key", provider: "ElevenLabs", prefixes: []string{"sk_"}, body: hexLow, min: 48, max: 48},
	{kind: "aws-access-key", title: "Access key ID", provider: "AWS", prefixes: []string{"AKIA", "ASIA", "ABIA", "ACCA"}, body: upperNum, min: 16, max: 16},
	{kind: "github-token", title: "Access token", provider: "GitHub", prefixes: []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_"}, body: alnum, min: 36, max: 255},
	{kind: "github-token", title: "Access token", provider: "GitHub", prefixes: []string{"github_pat_"}, body: alnumBar, min: 36, max: 255},
	{kind: "gitlab-token", title: "Access, deploy or runner token", provider: "GitLab", prefixes: []string{"glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glft-", "glsoat-", "glimt-", "glagent-"}, body: url64 | dot, min: 20, max: 255},
	{kind: "google-api-key", title: "API key", provider: "Google", prefixes: []string{"AIza"}, body: url64, min: 35, max: 35},
	{kind: "google-oauth-secret", title: "OAuth client secret", provider: "Google", prefixes: []string{"GOCSPX-"}, body: url64, min: 24, max: 40},
	{kind: "google-oauth-token", title: "OAuth access or refresh token", provider: "Google", prefixes: []string{"ya29."}, body: url64, min: 40, max: 2048},
	{kind: "google-oauth-token", title: "OAuth access or refresh token", provider: "Google", prefixes: []string{"1//0"}, body: url64, min: 40, max: 256, weak: true},
	{kind: "slack-token", title: "Access token", provider: "Slack", prefixes: []string{"xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxc-", "xoxd-", "xoxe-", "xoxe.xoxp-", "xoxe.xoxb-"}, body: alnumDash, min: 20, max: 512, weak: true},
	{kind: "slack-token", title: "Access token", provider: "Slack", prefixes: []string{"xapp-", "xwfp-"}, body: alnumDash, min: 30, max: 256, weak: true},
	{kind: "stripe-key", title: "Live secret key or webhook secret", provider: "Stripe", prefixes: []string{"sk_live_", "rk_live_"}, body: alnum, min: 16, max: 255},
	{kind: "stripe-key", title: "Live secret key or webhook secret", provider: "Stripe", prefixes: []string{"whsec_"}, body: base64ish, min: 24, max: 128},
	{kind: "stripe-test-key", title: "Secret key of the test mode", provider: "Stripe", prefixes: []string{"sk_test_", "rk_test_"}, body: alnum, min: 16, max: 255},
	{kind: "sendgrid-key", title: "API key", provider: "SendGrid", prefixes: []string{"SG."}, body: url64 | dot, min: 60, max: 72, valid: func(b string) bool { return b[22] == '.' }},
	{kind: "mailgun-key", title: "API key", provider: "Mailgun", prefixes: []string{"key-"}, body: hexLow, min: 32, max: 32, weak: true},
	{kind: "npm-token", title: "Access token", provider: "npm", prefixes: []string{"npm_"}, body: alnum, min: 36, max: 36},
	{kind: "pypi-token", title: "Upload token", provider: "PyPI", prefixes: []string{"pypi-AgE"}, body: url64, min: 50, max: 512},
	{kind: "rubygems-key", title: "API key", provider: "RubyGems", prefixes: []string{"rubygems_"}, body: hexLow, min: 48, max: 48},
	{kind: "docker-token", title: "Access token", provider: "Docker", prefixes: []string{"dckr_pat_", "dckr_oat_"}, body: url64, min: 24, max: 64},
	{kind: "huggingface-token", title: "Access token", provider: "Hugging Face", prefixes: []string{"hf_", "api_org_"}, body: alnum, min: 34, max: 40},
	{kind: "replicate-token", title: "API token", provider: "Replicate", prefixes: []string{"r8_"}, body: alnum, min: 32, max: 44},
	{kind: "groq-key", title: "API key", provider: "Groq", prefixes: []string{"gsk_"}, body: alnum, min: 40, max: 64},
	{kind: "perplexity-key", title: "API key", provider: "Perplexity", prefixes: []string{"pplx-"}, body: alnum, min: 40, max: 64},
	{kind: "xai-key", title: "API key", provider: "xAI", prefixes: []string{"xai-"}, body: alnum, min: 60, max: 100},
	{kind: "nvidia-key", title: "API key", provider: "NVIDIA", prefixes: []string{"nvapi-"}, body: url64, min: 60, max: 72},
	{kind: "cerebras-key", title: "API key", provider: "Cerebras", prefixes: []string{"csk-"}, body: alnum, min: 40, max: 60},
	{kind: "tavily-key", title: "API key", provider: "Tavily", prefixes: []string{"tvly-"}, body: url64, min: 28, max: 64, weak: true},
	{kind: "firecrawl-key", title: "API key", provider: "Firecrawl", prefixes: []string{"fc-"}, body: hexLow, min: 32, max: 32, weak: true},
	{kind: "brave-key", title: "Search API key", provider: "Brave", prefixes: []string{"BSA"}, body: url64, min: 24, max: 32, weak: true},
	{kind: "e2b-key", title: "API key", provider: "E2B", prefixes: []string{"e2b_"}, body: hexLow, min: 32, max: 48},
	{kind: "pinecone-key", title: "API key", provider: "Pinecone", prefixes: []string{"pcsk_"}, body: alnumBar, min: 50, max: 90},
	{kind: "langsmith-key", title: "API key", provider: "LangSmith", prefixes: []string{"lsv2_pt_", "lsv2_sk_"}, body: alnumBar, min: 40, max: 64},
	{kind: "jina-key", title: "API key", provider: "Jina AI", prefixes: []string{"jina_"}, body: url64, min: 50, max: 80},
	{kind: "apify-token", title: "API token", provider: "Apify", prefixes: []string{"apify_api_"}, body: alnum, min: 30, max: 48},
	{kind: "context7-key", title: "API key", provider: "Context7", prefixes: []string{"ctx7sk-"}, body: hexLow | dash, min: 36, max: 36},
	{kind: "notion-token", title: "Integration token", provider: "Notion", prefixes: []string{"ntn_"}, body: alnum, min: 40, max: 60},
	{kind: "notion-token", title: "Integration token", provider: "Notion", prefixes: []string{"secret_"}, body: alnum, min: 43, max: 43, weak: true},
	{kind: "linear-key", title: "API key or OAuth token", provider: "Linear", prefixes: []string{"lin_api_", "lin_oauth_"}, body: alnum, min: 32, max: 64},
	{kind: "figma-token", title: "Access token", provider: "Figma", prefixes: []string{"figd_", "figu_"}, body: url64, min: 35, max: 64},
	{kind: "airtable-token", title: "Personal access token", provider: "Airtable", prefixes: []string{"pat"}, body: alnum | dot, min: 79, max: 79, weak: true, valid: func(b string) bool { return b[14] == '.' && hexLow.all(b[15:]) }},
	{kind: "atlassian-token", title: "API token", provider: "Atlassian", prefixes: []string{"ATATT3", "ATCTT3"}, body: url64 | equals, min: 60, max: 300},
	{kind: "atlassian-token", title: "API token", provider: "Atlassian", prefixes: []string{"ATBB"}, body: alnum, min: 32, max: 32, weak: true},
	{kind: "shopify-token", title: "Access token or shared secret", provider: "Shopify", prefixes: []string{"shpat_", "shpca_", "shppa_", "shpss_"}, body: hexLow, min: 32, max: 32},
	{kind: "digitalocean-token", title: "Access or refresh token", provider: "DigitalOcean", prefixes: []string{"dop_v1_", "doo_v1_", "dor_v1_"}, body: hexLow, min: 64, max: 64},
	{kind: "doppler-token", title: "Token", provider: "Doppler", prefixes: []string{"dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."}, body: url64 | dot, min: 40, max: 100},
	{kind: "vault-token", title: "Token", provider: "HashiCorp", prefixes: []string{"hvs.", "hvb.", "hvr."}, body: url64, min: 24, max: 300, weak: true},
	{kind: "tailscale-key", title: "Auth, API or OAuth key", provider: "Tailscale", prefixes: []string{"tskey-"}, body: alnumDash, min: 20, max: 128, weak: true},
	{kind: "supabase-key", title: "Access token or secret key", provider: "Supabase", prefixes: []string{"sbp_"}, body: hexLow, min: 40, max: 40},
	{kind: "supabase-key", title: "Access token or secret key", provider: "Supabase", prefixes: []string{"sb_secret_"}, body: url64, min: 24, max: 64, weak: true},
	{kind: "planetscale-token", title: "Token or password", provider: "PlanetScale", prefixes: []string{"pscale_tkn_", "pscale_pw_", "pscale_oauth_"}, body: url64 | dot, min: 32, max: 64},
	{kind: "neon-key", title: "API key", provider: "Neon", prefixes: []string{"napi_"}, body: alnum, min: 60, max: 72},
	{kind: "databricks-token", title: "Access token", provider: "Databricks", prefixes: []string{"dapi"}, body: hexLow, min: 32, max: 32},
	{kind: "postman-key", title: "API key", provider: "Postman", prefixes: []string{"PMAK-"}, body: hexLow | dash, min: 59, max: 59},
	{kind: "sentry-token", title: "Auth token", provider: "Sentry", prefixes: []string{"sntrys_"}, body: base64ish | underscore | dash, min: 60, max: 400},
	{kind: "sentry-token", title: "Auth token", provider: "Sentry", prefixes: []string{"sntryu_"}, body: hexLow, min: 64, max: 64},
	{kind: "grafana-token", title: "Service account or access policy token", provider: "Grafana", prefixes: []string{"glsa_"}, body: alnumBar, min: 41, max: 41},
	{kind: "grafana-token", title: "Service account or access policy token", provider: "Grafana", prefixes: []string{"glc_"}, body: base64ish, min: 32, max: 400},
	{kind: "newrelic-key", title: "User key", provider: "New Relic", prefixes: []string{"NRAK-"}, body: upperNum, min: 27, max: 27},
	{kind: "resend-key", title: "API key", provider: "Resend", prefixes: []string{"re_"}, body: alnumBar, min: 30, max: 40, weak: true, valid: func(b string) bool { return b[8] == '_' && alnum.all(b[:8]) && alnum.all(b[9:]) }},
	{kind: "netlify-token", title: "Access token", provider: "Netlify", prefixes: []string{"nfp_"}, body: alnum, min: 36, max: 48},
	{kind: "heroku-key", title: "API key", provider: "Heroku", prefixes: []string{"HRKU-"}, body: url64, min: 36, max: 72},
	{kind: "fly-token", title: "Access token", provider: "Fly.io", prefixes: []string{"fm2_", "fo1_"}, body: base64ish | underscore | dash, min: 40, max: 1024},
	{kind: "pulumi-token", title: "Access token", provider: "Pulumi", prefixes: []string{"pul-"}, body: hexLow, min: 40, max: 40},
	{kind: "buildkite-token", title: "API token", provider: "Buildkite", prefixes: []string{"bkua_"}, body: hexLow, min: 40, max: 40},
	{kind: "square-secret", title: "OAuth secret or access token", provider: "Square", prefixes: []string{"sq0csp-", "sq0atp-"}, body: url64, min: 22, max: 48},
	{kind: "mapbox-token", title: "Secret token", provider: "Mapbox", prefixes: []string{"sk.eyJ"}, body: url64 | dot, min: 60, max: 400},
	{kind: "age-key", title: "Identity (secret key)", provider: "age", prefixes: []string{"AGE-SECRET-KEY-1"}, body: upperNum, min: 58, max: 58},
}

// match returns the end of the token that starts at at with a prefix of n
// bytes.
func (f *format) match(text string, at, n int) (end int, ok bool) {
	if !boundary(text, at) {
		return 0, false
	}
	from := at + n
	end = f.body.run(text, from, f.max+1)
	// A sentence's full stop is no part of the token.
	for end > from && text[end-1] == '.' {
		end--
	}
	body := text[from:end]
	if len(body) < f.min || len(body) > f.max || end < len(text) && alnum.has(text[end]) {
		return 0, false
	}
	variety := count(body)
	if variety.distinct < min(8, f.min/3) || f.weak && (variety.digit == 0 || variety.letters() == 0) || f.valid != nil && !f.valid(body) || Placeholder(body) {
		return 0, false
	}
	return end, true
}

// boundary reports whether a token can start at i: not inside a word, but
// right behind an escape (\n, %3D, \u0022) it can.
func boundary(text string, i int) bool {
	switch {
	case i == 0 || !alnum.has(text[i-1]):
		return true
	case i >= 2 && text[i-2] == '\\' && (text[i-1] == 'n' || text[i-1] == 't' || text[i-1] == 'r'):
		return true
	case i >= 3 && text[i-3] == '%':
		return true
	}
	return i >= 6 && text[i-6] == '\\' && text[i-5] == 'u'
}
