#!/usr/bin/env bash
# Checks `init --wrap` against real clients: each reads the wrapped file of a
# throw-away HOME and starts its server through the shim; then the file is
# unwrapped. Nobody logs in and no model is asked. Needs Linux, node and npm.
# Not part of .ci/run: it downloads 600 MB.
#
# usage: .ci/init-clients.sh [claude-code|codex|gemini|opencode]...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

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

# A server that answers, and writes down who started it.
cat >"$work/server.js" <<'END'
const fs = require("fs");
const parent = fs.readFileSync(`/proc/${process.ppid}/cmdline`, "utf8").split("\0").slice(0, -1);
fs.appendFileSync(__dirname + "/started", JSON.stringify({ args: process.argv.slice(2), env: process.env.SERVER_SETTING ?? "", parent }) + "\n");
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
END

# The registry approves the server. A build without "run" gets a program that
# takes its command line and starts what stands behind "--".
cat >"$work/registry.yaml" <<END
apiVersion: sallyport/v1
kind: Registry
servers:
  - {id: files, match: {argv: [node, "$work/server.js", a b]}, status: approved}
END
shim=()
if ! "$work/sallyport" run --help >/dev/null 2>&1; then
	printf '#!/bin/sh\n: "$*"\nwhile [ "$1" != -- ]; do shift; done\nshift\n"$@"\n' >"$work/shim"
	chmod +x "$work/shim"
	shim=(--shim "$work/shim")
fi

fail() { # CLIENT MESSAGE
	echo "$1: FAIL: $2"
	sed 's/^/    /' "$work/list"
	failed=1
}

check() { # CLIENT FILE COMMAND...: the client lists and starts the wrapped server
	local client=$1 home="$work/home-$1" file="$work/home-$1/$2"
	shift 2
	local own=(env -u CODEX_HOME -u CLAUDE_CONFIG_DIR "HOME=$home" "XDG_STATE_HOME=$home/.local/state" "XDG_CONFIG_HOME=$home/.config" "XDG_CACHE_HOME=$home/.cache" "XDG_DATA_HOME=$home/.local/share")
	cp "$file" "$work/original"
	: >"$work/started"
	"${own[@]}" "$work/sallyport" init --wrap home --registry "$work/registry.yaml" "${shim[@]}" --yes >"$work/list" 2>&1 || fail "$client" "not wrapped"
	grep -q -- '"--mode"' "$file" || fail "$client" "not wrapped"
	(cd "$home" && timeout 120 "${own[@]}" "$@") >"$work/list" 2>&1 </dev/null || fail "$client" "it ends with an error"
	if ! grep -q files "$work/list"; then
		fail "$client" "the server is not listed"
	elif [[ $client == codex ]]; then # it lists and starts nothing
		tr -d ' \n' <"$work/list" | grep -q '"--name","files","--","node",' || fail "$client" "it shows another command line"
	elif ! grep -q '"args":\["a b"\],"env":"kept","parent":.*"--' "$work/started"; then
		sed 's/^/    /' "$work/started"
		fail "$client" "the server was not started through the shim"
	fi
	echo "$client: $(grep -m1 files "$work/list" | cut -c1-140)"
	"${own[@]}" "$work/sallyport" init --unwrap home --yes >"$work/list" 2>&1 || fail "$client" "not unwrapped"
	# A client may write to its own file: then its command lines are what counts.
	if cmp -s "$file" "$work/original"; then
		echo "$client: unwrapped, byte for byte"
	elif ! grep -q -- '--mode' "$file" && grep -q '"a b"' "$file"; then
		echo "$client: unwrapped; the client has written to the file meanwhile"
	else
		fail "$client" "not unwrapped"
	fi
}

place() { # CLIENT FILE: writes stdin there
	mkdir -p "$(dirname "$work/home-$1/$2")"
	cat >"$work/home-$1/$2"
}

claude-code() {
	place claude-code .claude.json <<<"{\"mcpServers\": {\"files\": {\"type\": \"stdio\", \"command\": \"node\", \"args\": [\"$work/server.js\", \"a b\"], \"env\": {\"SERVER_SETTING\": \"kept\"}}}}"
	check claude-code .claude.json "$(install @anthropic-ai/claude-code@2.1.330 claude)" mcp list
}

codex() {
	place codex .codex/config.toml <<<"[mcp_servers.files]
command = \"node\" # ours
args = [
  \"$work/server.js\",
  \"a b\",
]
env = { SERVER_SETTING = \"kept\" }"
	check codex .codex/config.toml "$(install @openai/codex@0.169.0 codex)" mcp list --json
}

gemini() {
	place gemini .gemini/settings.json <<<"{\"security\": {\"folderTrust\": {\"enabled\": false}}, // ours
\"mcpServers\": {\"files\": {\"command\": \"node\", \"args\": [\"$work/server.js\", \"a b\"], \"env\": {\"SERVER_SETTING\": \"kept\"}}}}"
	check gemini .gemini/settings.json "$(install @google/gemini-cli@0.61.0 gemini)" mcp list
}

opencode() {
	place opencode .config/opencode/opencode.json <<<"{\"mcp\": {\"files\": {\"type\": \"local\", \"command\": [\"node\", \"$work/server.js\", \"a b\"], \"environment\": {\"SERVER_SETTING\": \"kept\"}}}}"
	check opencode .config/opencode/opencode.json "$(install opencode-ai@1.18.33 opencode)" mcp list
}

if [[ $# == 0 ]]; then set -- claude-code codex gemini opencode; fi
for client in "$@"; do "$client"; done
exit $failed
