#!/usr/bin/env bash
# The README's two commands on a fresh machine: a clone of what is committed,
# and a home with nothing in it. Downloaded modules are shared with the caller
# unless FRESH_MODULES=1, because they are the network's part and not ours.
set -euo pipefail
root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
work="$(mktemp -d)"
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
modules="$(go env GOMODCACHE)"
if [[ ${FRESH_MODULES:-} == 1 ]]; then
	modules="$work/modules"
fi
git clone -q "$root" "$work/clone"
mkdir "$work/home"
for command in demo test; do
	env -i PATH="$PATH" HOME="$work/home" GOMODCACHE="$modules" GOPROXY="$(go env GOPROXY)" GOTOOLCHAIN="$(go env GOTOOLCHAIN)" \
		make -C "$work/clone" "$command" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
done
if [[ -n $(git -C "$work/clone" status --porcelain) ]]; then
	echo "fresh: the commands leave files that git does not ignore:"
	git -C "$work/clone" status --short
	exit 1
fi
echo "fresh: make demo and make test work"
