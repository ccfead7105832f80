#!/usr/bin/env bash
# Checks `registry export` against real clients: what the registry approves is
# accepted, everything else is refused. Each client reads its managed settings
# from a copy of /etc in a mount namespace of its own; the real /etc is not
# touched, nobody logs in and no model is asked. Needs Linux, root (or user
# namespaces), node and npm. The first run downloads 900 MB.
#
# usage: .ci/clients-allowlist.sh [claude-code|codex|gemini|copilot|amp]...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

claude=@anthropic-ai/claude-code@2.1.330
codex=@openai/codex@0.169.0
gemini=@google/gemini-cli@0.61.0
copilot=@github/copilot@1.0.102
amp=@ampcode/cli@0.0.1790142911-g7618fb
cache="${SALLYPORT_CLIENTS:-${XDG_CACHE_HOME:-$HOME/.cache}/sallyport-ci/clients}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
failed=0

go build -o "$work/sallyport" ./cmd/sallyport

install() { # PACKAGE@VERSION BINARY: prints the binary's path
	local dir
	dir="$cache/$(tr '/@' '__' <<<"$1")"
	if [[ ! -e $dir/node_modules/.bin/$2 ]]; then
		mkdir -p "$dir"
		npm install --silent --no-audit --no-fund --prefix "$dir" "$1" >&2
	fi
	echo "$dir/node_modules/.bin/$2"
}

with_etc() { # DIRECTORY COMMAND...: DIRECTORY's files are seen in /etc
	local graft=$1
	shift
	unshare -m --propagation private bash -c \
		'set -e; t=$(mktemp -d -p "$1"); cp -a /etc/. "$t"; cp -a "$2"/. "$t"; mount --bind "$t" /etc; shift 2; exec "$@"' _ "$work" "$graft" "$@"
}

# A server that answers, and writes down how it was started.
cat >"$work/server" <<'EOF'
#!/usr/bin/env node
require("fs").appendFileSync(__dirname + "/started", JSON.stringify([process.argv.slice(2), process.env.NODE_OPTIONS ?? ""]) + "\n");
let rest = "";
process.stdin.on("data", (chunk) => {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop();
  for (const line of lines) {
    const m = JSON.parse(line);
    if (m.id === undefined) continue;
    const reply = { jsonrpc: "2.0", id: m.id };
    if (m.method === "initialize") reply.result = { protocolVersion: m.params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "s", version: "1" } };
    else if (m.method === "tools/list") reply.result = { tools: [{ name: "echo", description: "Echo.", inputSchema: { type: "object" } }] };
    else if (m.method === "ping") reply.result = {};
    else reply.error = { code: -32601, message: "no such method" };
    console.log(JSON.stringify(reply));
  }
});
EOF
chmod +x "$work/server"
server="$work/server"

# approved: files and web. Denied: evil. Everything else is not listed.
cat >"$work/registry.yaml" <<EOF
apiVersion: sallyport/v1
kind: Registry
servers:
  - {id: files, match: {argv: ["$server", --root, /srv]}, status: approved}
  - {id: web, transport: http, match: {url: "http://127.0.0.1:9/mcp"}, status: approved}
  - {id: below, transport: http, match: {url: "http://127.0.0.3:9/v1/*"}, status: approved}
  - {id: host, transport: http, match: {url: "http://127.0.0.4:9/*"}, status: approved}
  - {id: star, match: {argv: ["$server", "a*b"]}, status: approved}
  - {id: evil, match: {argv: ["$server", evil]}, status: denied}
EOF
cat >"$work/empty.yaml" <<EOF
apiVersion: sallyport/v1
kind: Registry
EOF

export_to() { # TARGET FILE [REGISTRY]
	mkdir -p "$(dirname "$2")"
	"$work/sallyport" registry export --registry "${3:-$work/registry.yaml}" --to "$1" >"$2" 2>>"$work/notes"
}

want() { # CLIENT WHAT yes|no PATTERN FILE: a line is there, or not
	local seen=no
	if grep -qE -- "$4" "$5"; then seen=yes; fi
	if [[ $seen == "$3" ]]; then
		echo "ok    $1: $2"
	else
		echo "FAIL  $1: $2" >&2
		sed 's/^/      /' "$5" >&2
		failed=1
	fi
}

started() { # CLIENT WHAT yes|no PATTERN
	touch "$work/started"
	want "$@" "$work/started"
}

test_claude() {
	local bin home="$work/claude-home" project="$work/claude-project" etc="$work/claude-etc"
	bin="$(install "$claude" claude)"
	mkdir -p "$home/.claude" "$project"
	echo '{"enableAllProjectMcpServers": true, "allowedMcpServers": [{"serverName": "unlisted"}]}' >"$home/.claude/settings.json"
	cat >"$project/.mcp.json" <<EOF
{"mcpServers": {
  "files": {"command": "$server", "args": ["--root", "/srv"]},
  "renamed": {"command": "$server", "args": ["--root", "/srv"]},
  "otherargs": {"command": "$server", "args": ["--root", "/etc"]},
  "moreargs": {"command": "$server", "args": ["--root", "/srv", "--write"]},
  "unlisted": {"command": "$server"},
  "evil": {"command": "$server", "args": ["evil"]},
  "web": {"type": "http", "url": "http://127.0.0.1:9/mcp"},
  "webpath": {"type": "http", "url": "http://127.0.0.1:9/mcp/other"},
  "webhost": {"type": "http", "url": "http://127.0.0.2:9/mcp"},
  "below": {"type": "http", "url": "http://127.0.0.3:9/v1/mcp"},
  "up": {"type": "http", "url": "http://127.0.0.3:9/v1/../mcp"},
  "upcoded": {"type": "http", "url": "http://127.0.0.3:9/v1/%2e%2e/mcp"},
  "userinfo": {"type": "http", "url": "http://127.0.0.4:9@127.0.0.2/mcp"}
}}
EOF
	export_to claude-code "$etc/claude-code/managed-settings.json"
	rm -f "$work/started"
	(cd "$project" && HOME="$home" with_etc "$etc" timeout 120 "$bin" mcp list) >"$work/out" 2>&1 || true
	want claude-code 'the approved command is connected' yes '^files: .*Connected' "$work/out"
	want claude-code 'under another name, too' yes '^renamed: .*Connected' "$work/out"
	want claude-code 'the approved URL is tried' yes '^web: ' "$work/out"
	want claude-code 'other arguments, more arguments, unlisted and denied are refused' no '^(otherargs|moreargs|unlisted|evil): ' "$work/out"
	want claude-code 'another path and another host are refused' no '^(webpath|webhost): ' "$work/out"
	want claude-code 'what is below an approved path is tried' yes '^below: ' "$work/out"
	want claude-code 'what leads out of it, and a host behind userinfo, is refused' no '^(up|upcoded|userinfo): ' "$work/out"
	started claude-code 'nothing else was started' no '"/etc"|"--write"|"evil"|\[\[\]'
	(cd "$project" && HOME="$home" with_etc "$etc" timeout 120 "$bin" mcp add more -- "$server" x) >"$work/out" 2>&1 || true
	want claude-code 'an unlisted server cannot be added' yes 'not allowed by enterprise policy' "$work/out"
	export_to claude-code "$etc/claude-code/managed-settings.json" "$work/empty.yaml"
	(cd "$project" && HOME="$home" with_etc "$etc" timeout 120 "$bin" mcp list) >"$work/out" 2>&1 || true
	want claude-code 'an empty registry allows nothing' no 'Connected|^web: ' "$work/out"
}

test_codex() {
	local bin home="$work/codex-home" etc="$work/codex-etc"
	bin="$(install "$codex" codex)"
	mkdir -p "$home/.codex"
	export_to codex "$etc/codex/requirements.toml"
	codex_with() { # ARGS-OF-FILES URL-OF-WEB [URL-OF-HOST]
		cat >"$home/.codex/config.toml" <<EOF
[mcp_servers.files]
command = "$server"
args = $1
[mcp_servers.renamed]
command = "$server"
args = ["--root", "/srv"]
[mcp_servers.evil]
command = "$server"
args = ["evil"]
[mcp_servers.web]
url = "$2"
[mcp_servers.below]
url = "http://127.0.0.3:9/v1/../mcp"
[mcp_servers.host]
url = "${3:-http://127.0.0.4:9/a/b}"
EOF
		HOME="$home" with_etc "$etc" timeout 120 "$bin" mcp list --json >"$work/json" 2>"$work/err" || cat "$work/err" >&2
		node -e 'for (const s of JSON.parse(require("fs").readFileSync(process.argv[1]))) console.log(s.name, s.enabled ? "enabled" : "disabled", s.disabled_reason ?? "")' "$work/json" >"$work/out"
	}
	codex_with '["--root", "/srv"]' http://127.0.0.1:9/mcp
	want codex 'the approved command is enabled' yes '^files enabled' "$work/out"
	want codex 'the approved URL is enabled' yes '^web enabled' "$work/out"
	want codex 'anything on an approved host is enabled' yes '^host enabled' "$work/out"
	want codex 'a path that leads out of a prefix is disabled' yes '^below disabled .*requirements' "$work/out"
	want codex 'under a name that is not listed it is disabled' yes '^renamed disabled .*requirements' "$work/out"
	want codex 'the denied one is disabled' yes '^evil disabled .*requirements' "$work/out"
	codex_with '["--root", "/etc"]' http://127.0.0.1:9/other http://127.0.0.4:9@127.0.0.2/mcp
	want codex 'a host behind userinfo is disabled' yes '^host disabled .*requirements' "$work/out"
	want codex 'other arguments are disabled' yes '^files disabled .*requirements' "$work/out"
	want codex 'another URL is disabled' yes '^web disabled .*requirements' "$work/out"
	codex_with '["--root", "/srv", "--write"]' http://127.0.0.1:9/mcp
	want codex 'more arguments are disabled' yes '^files disabled .*requirements' "$work/out"
	export_to codex "$etc/codex/requirements.toml" "$work/empty.yaml"
	codex_with '["--root", "/srv"]' http://127.0.0.1:9/mcp
	want codex 'an empty registry disables all' no ' enabled' "$work/out"
}

test_gemini() {
	local bin home="$work/gemini-home" etc="$work/gemini-etc"
	bin="$(install "$gemini" gemini)"
	mkdir -p "$home/.gemini" "$work/empty"
	# The user binds the approved name to something else, with an environment.
	gemini_user() { # MEMBERS of the user's settings
		cat >"$home/.gemini/settings.json" <<EOF
{"security": {"folderTrust": {"enabled": false}}, $1 "mcpServers": {
  "files": {"command": "$server", "args": ["--root", "/etc"], "env": {"NODE_OPTIONS": "--no-warnings"}},
  "unlisted": {"command": "$server", "args": ["unlisted"]},
  "evil": {"command": "$server", "args": ["evil"]}
}}
EOF
	}
	gemini_user ''
	export_to gemini "$etc/gemini-cli/settings.json"
	rm -f "$work/started"
	(cd "$work/empty" && HOME="$home" with_etc "$etc" timeout 120 "$bin" mcp list) >"$work/out" 2>&1 || true
	want gemini 'the approved server is connected' yes 'files: .*--root /srv .*Connected' "$work/out"
	want gemini 'unlisted and denied are blocked' yes 'unlisted: .*Blocked' "$work/out"
	want gemini 'the denied one is blocked' yes 'evil: .*Blocked' "$work/out"
	started gemini 'the name starts what was approved' yes '\["--root","/srv"\]'
	started gemini 'and not what the user bound it to' no '/etc|unlisted|evil'
	started gemini "the user's variables for it are gone" no 'no-warnings'
	gemini_user '"mcp": {"allowed": ["unlisted", "evil"]},'
	(cd "$work/empty" && HOME="$home" with_etc "$etc" timeout 120 "$bin" mcp list) >"$work/out" 2>&1 || true
	started gemini "a user's own list widens nothing" no 'unlisted|evil'
	gemini_user ''
	export_to gemini "$etc/gemini-cli/settings.json" "$work/empty.yaml"
	rm -f "$work/started"
	(cd "$work/empty" && HOME="$home" with_etc "$etc" timeout 120 "$bin" mcp list) >"$work/out" 2>&1 || true
	started gemini 'an empty registry starts nothing' no '.'
}

test_copilot() {
	local bin home="$work/copilot-home" etc="$work/copilot-etc"
	bin="$(install "$copilot" copilot-linux-x64)"
	mkdir -p "$home/.copilot" "$work/empty"
	cat >"$home/.copilot/mcp-config.json" <<EOF
{"mcpServers": {
  "files": {"type": "local", "command": "$server", "args": ["--root", "/srv"], "tools": ["*"]},
  "otherargs": {"type": "local", "command": "$server", "args": ["--root", "/etc"], "tools": ["*"]},
  "moreargs": {"type": "local", "command": "$server", "args": ["--root", "/srv", "--write"], "tools": ["*"]},
  "unlisted": {"type": "local", "command": "$server", "args": [], "tools": ["*"]},
  "evil": {"type": "local", "command": "$server", "args": ["evil"], "tools": ["*"]},
  "web": {"type": "http", "url": "http://127.0.0.1:9/mcp", "tools": ["*"]},
  "webpath": {"type": "http", "url": "http://127.0.0.1:9/mcp/other", "tools": ["*"]},
  "up": {"type": "http", "url": "http://127.0.0.3:9/v1/../mcp", "tools": ["*"]},
  "host": {"type": "http", "url": "http://127.0.0.4:9/a/b", "tools": ["*"]},
  "userinfo": {"type": "http", "url": "http://127.0.0.4:9@127.0.0.2/mcp", "tools": ["*"]}
}}
EOF
	# Servers are started before the model is asked, which nobody listens for.
	copilot_run() {
		rm -rf "$work/started" "$work/log"
		(cd "$work/empty" && HOME="$home" COPILOT_OFFLINE=true COPILOT_MODEL=none COPILOT_PROVIDER_BASE_URL=http://127.0.0.1:9/v1 \
			with_etc "$etc" timeout 60 "$bin" -p hi --log-level debug --log-dir "$work/log") >"$work/out" 2>&1 </dev/null || true
		cat "$work"/log/*.log | grep -oE 'Skipping MCP server "[^"]*": [a-z ]*|Starting remote MCP client for [^ ]* ' >"$work/out" || true
	}
	export_to copilot "$etc/github-copilot/managed-settings.json"
	copilot_run
	started copilot 'the approved command is started' yes '\["--root","/srv"\]'
	started copilot 'nothing else is started' no '"/etc"|"--write"|"evil"|\[\[\]'
	want copilot 'other and more arguments, unlisted, another path are not permitted' yes '"moreargs": not permitted' "$work/out"
	want copilot 'another path is not permitted' yes '"webpath": not permitted' "$work/out"
	want copilot 'a path that leads out of a prefix is not permitted' yes '"up": not permitted' "$work/out"
	want copilot 'a host behind userinfo is not permitted' yes '"userinfo": not permitted' "$work/out"
	want copilot 'the denied one is blocked' yes '"evil": blocked' "$work/out"
	want copilot 'the approved URL, host and command are not skipped' no 'server "(web|files|host)"' "$work/out"
	export_to copilot "$etc/github-copilot/managed-settings.json" "$work/empty.yaml"
	copilot_run
	started copilot 'an empty registry starts nothing' no '.'
}

test_amp() {
	local bin home="$work/amp-home" etc="$work/amp-etc"
	bin="$(install "$amp" amp)"
	mkdir -p "$home/.config/amp" "$work/empty"
	# The user's own list says that all is allowed.
	cat >"$home/.config/amp/settings.json" <<EOF
{"amp.mcpPermissions": [{"matches": {"command": "*"}, "action": "allow"}], "amp.mcpServers": {
  "files": {"command": "$server", "args": ["--root", "/srv"]},
  "otherargs": {"command": "$server", "args": ["--root", "/etc"]},
  "moreargs": {"command": "$server", "args": ["--root", "/srv", "--write"]},
  "star": {"command": "$server", "args": ["a*b"]},
  "notstar": {"command": "$server", "args": ["axxb"]},
  "unlisted": {"command": "$server"},
  "evil": {"command": "$server", "args": ["evil"]},
  "web": {"url": "http://127.0.0.1:9/mcp"},
  "webpath": {"url": "http://127.0.0.1:9/mcp/other"}
}}
EOF
	amp_run() {
		(cd "$work/empty" && HOME="$home" AMP_API_KEY=none AMP_URL=http://127.0.0.1:9 with_etc "$etc" timeout 60 "$bin" mcp doctor) >"$work/out" 2>&1 </dev/null || true
	}
	export_to amp "$etc/ampcode/managed-settings.json"
	amp_run
	want amp 'the approved command is connected' yes '^files .*connected' "$work/out"
	want amp 'one with a star is compared as it is' yes '^star .*connected' "$work/out"
	want amp 'other arguments, more arguments, unlisted and denied are refused' no '^(otherargs|moreargs|notstar|unlisted|evil) .*connected' "$work/out"
	want amp 'and it is said why' yes '^unlisted .*not allowed by MCP permissions' "$work/out"
	want amp 'the approved URL is tried' no '^web .*not allowed' "$work/out"
	want amp 'another path is refused' yes '^webpath .*not allowed' "$work/out"
	export_to amp "$etc/ampcode/managed-settings.json" "$work/empty.yaml"
	amp_run
	want amp 'an empty registry allows nothing' no ' connected| connecting' "$work/out"
}

clients=("$@")
[[ ${#clients[@]} -gt 0 ]] || clients=(claude-code codex gemini copilot amp)
for client in "${clients[@]}"; do
	case "$client" in
	claude-code) test_claude ;;
	codex) test_codex ;;
	gemini) test_gemini ;;
	copilot) test_copilot ;;
	amp) test_amp ;;
	*)
		echo "$0: no test for $client; use claude-code, codex, gemini, copilot, amp" >&2
		exit 2
		;;
	esac
done
echo "what the targets cannot express:"
sort -u "$work/notes" | sed 's/^/  /'
exit "$failed"
