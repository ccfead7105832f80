#!/usr/bin/env bash
# Checks `registry export` against real clients: what the registry approves is
# accepted, everything else is refused. Each client reads its managed settings
# from a copy of /etc in a mount namespace of its own; the real /etc is not
# touched, nobody logs in and no model is asked. Needs Linux, root (or user
# namespaces), node and npm. Not part of .ci/run: it downloads 600 MB.
#
# usage: .ci/clients-allowlist.sh [claude-code|codex|gemini]...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

claude=@anthropic-ai/claude-code@2.1.330
codex=@openai/codex@0.169.0
gemini=@google/gemini-cli@0.61.0
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
  "webhost": {"type": "http", "url": "http://127.0.0.2:9/mcp"}
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
	codex_with() { # ARGS-OF-FILES URL-OF-WEB
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
EOF
		HOME="$home" with_etc "$etc" timeout 120 "$bin" mcp list --json >"$work/json" 2>"$work/err" || cat "$work/err" >&2
		node -e 'for (const s of JSON.parse(require("fs").readFileSync(process.argv[1]))) console.log(s.name, s.enabled ? "enabled" : "disabled", s.disabled_reason ?? "")' "$work/json" >"$work/out"
	}
	codex_with '["--root", "/srv"]' http://127.0.0.1:9/mcp
	want codex 'the approved command is enabled' yes '^files enabled' "$work/out"
	want codex 'the approved URL is enabled' yes '^web enabled' "$work/out"
	want codex 'under a name that is not listed it is disabled' yes '^renamed disabled .*requirements' "$work/out"
	want codex 'the denied one is disabled' yes '^evil disabled .*requirements' "$work/out"
	codex_with '["--root", "/etc"]' http://127.0.0.1:9/other
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

clients=("$@")
[[ ${#clients[@]} -gt 0 ]] || clients=(claude-code codex gemini)
for client in "${clients[@]}"; do
	case "$client" in
	claude-code) test_claude ;;
	codex) test_codex ;;
	gemini) test_gemini ;;
	*)
		echo "$0: no test for $client; use claude-code, codex, gemini" >&2
		exit 2
		;;
	esac
done
echo "what the targets cannot express:"
sort -u "$work/notes" | sed 's/^/  /'
exit "$failed"
