#!/usr/bin/env bash
# Real servers from npm, inspected twice in the confinement: the same surface
# each time, and what a scan and a manifest make of it. The first inspection
# fetches the package into a cache of this script; the second has no network.
set -euo pipefail
root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
sallyport="${SALLYPORT:-$root/bin/sallyport}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir docs
export SOURCE_DATE_EPOCH=1767225600
npm_user="$(npm config get userconfig)"
export HOME="$work/home" npm_config_userconfig="$npm_user"
mkdir -p "$HOME/.npm"

surface() { "$sallyport" manifest generate "$1" 2>/dev/null | sed 's/.*"surface":"\([0-9a-f]*\)".*/\1/'; }

for server in '@modelcontextprotocol/server-everything@2025.9.25' '@modelcontextprotocol/server-filesystem@2025.8.21'; do
	name="${server##*/}" name="${name%%@*}"
	args=(npx -y "$server")
	[[ $name != server-filesystem ]] || args+=("$work/docs")
	"$sallyport" inspect --consent --allow-network -o "$name.online.json" -- "${args[@]}"
	timeout 60 "${args[@]}" </dev/null >/dev/null 2>&1 || true # fills the cache, which the confinement does not
	"$sallyport" inspect --consent -o "$name.offline.json" -- "${args[@]}"
	one="$(surface "$name.online.json")" two="$(surface "$name.offline.json")"
	[[ -n $one && $one == "$two" ]] || { echo "$name: two inspections, two surfaces: $one $two" >&2; exit 1; }
	"$sallyport" scan "$name.offline.json" --fail-on never --format json >"$name.report.json"
	"$sallyport" registry add --consent --reason 'inspected in CI' --approver ci --registry reg.yaml --fail-on critical -- "${args[@]}"
	"$sallyport" scan "$name.offline.json" --registry reg.yaml --only unapproved-server --only changed-server --fail-on low
	echo "ok: $name, surface $one"
done
