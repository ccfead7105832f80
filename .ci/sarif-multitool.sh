#!/usr/bin/env bash
# Checks SARIF files with Microsoft's validator, by SARIF's own rules and
# GitHub's. Any result at error or warning fails.
#
# usage: .ci/sarif-multitool.sh FILE...
set -euo pipefail

version=5.7.0
cache="${XDG_CACHE_HOME:-$HOME/.cache}/sallyport-ci/sarif-multitool-$version"

if [[ $# -eq 0 ]]; then
	echo "usage: $0 FILE..." >&2
	exit 2
fi

case "$(uname -s)" in
Linux) platform=linux ;;
Darwin) platform=darwin ;;
*)
	echo "$0: no validator for $(uname -s)" >&2
	exit 2
	;;
esac
# The binary itself: the npm wrapper starts it through a shell without quoting.
binary="$cache/node_modules/@microsoft/sarif-multitool-$platform/Sarif.Multitool"
if [[ ! -f $binary ]]; then
	mkdir -p "$cache"
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$cache" "@microsoft/sarif-multitool@$version" "@microsoft/sarif-multitool-$platform@$version"
fi
[[ -x $binary ]] || chmod u+x "$binary"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
failed=0
for file in "$@"; do
	if [[ ! -f $file ]]; then
		echo "$file: no such file" >&2
		exit 2
	fi
	# Its exit code is 0 even with errors, so the results are counted.
	"$binary" validate "$file" --rule-kind "Sarif;Gh" --level "Error;Warning" --kind "Fail;Open;Review;Informational" \
		--log ForceOverwrite -o "$work/out.sarif" >"$work/log" 2>&1 || {
		cat "$work/log" >&2
		exit 1
	}
	node -e '
		const log = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8").replace(/^\uFEFF/, ""));
		const notes = log.runs.flatMap(run => (run.invocations ?? []).flatMap(i => [...(i.toolExecutionNotifications ?? []), ...(i.toolConfigurationNotifications ?? [])]));
		const broken = notes.filter(n => n.level === "error");
		const results = log.runs.flatMap(run => run.results ?? []);
		for (const r of results) console.error(r.ruleId, r.level ?? "warning", JSON.stringify(r.message), JSON.stringify(r.locations?.[0]?.physicalLocation?.region ?? null));
		for (const n of broken) console.error(JSON.stringify(n.message));
		process.exit(results.length + broken.length > 0 ? 1 : 0);
	' "$work/out.sarif" || {
		echo "$file: the validator objects" >&2
		failed=1
	}
done
exit "$failed"
