#!/usr/bin/env bash
# A private Sigstore on this machine, and cosign: what we sign cosign verifies,
# what cosign signs we verify, with keys and without, in files and in registries.
# Fulcio, Rekor, the timestamp authority and cosign are built once and kept
# (SIGSTORE_BIN: where they are, if not in the cache).
set -euo pipefail
root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"

bin="${SIGSTORE_BIN:-${XDG_CACHE_HOME:-$HOME/.cache}/sallyport-ci/sigstore}"
mkdir -p "$bin"
install() { # NAME MODULE@VERSION
	[[ -x $bin/$1 ]] || GOBIN="$bin" CGO_ENABLED=0 GOFLAGS= go install "$2"
}
install cosign github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3
install fulcio github.com/sigstore/fulcio@v1.8.8
install timestamp-server github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server@v2.1.3
install posix github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix@v2.3.0 # Rekor v2

work="$(mktemp -d)"
pids=()
finish() {
	local code=$?
	[[ ${#pids[@]} -eq 0 ]] || kill "${pids[@]}" 2>/dev/null || true
	wait 2>/dev/null || true
	if [[ $code -ne 0 ]]; then
		echo "sigstore: FAILED; the end of the logs:" >&2
		tail -n 5 "$work"/*.log >&2 || true
	fi
	rm -rf "$work"
}
trap finish EXIT
go build -trimpath -o "$work/sallyport" ./cmd/sallyport
go build -trimpath -o "$work/sigstoretest" ./internal/sigstoretest
cd "$work"
export HOME="$work/home" COSIGN_PASSWORD=password
unset ACTIONS_ID_TOKEN_REQUEST_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN SIGSTORE_ID_TOKEN XDG_CACHE_HOME
mkdir "$HOME"

base=$((20000 + RANDOM % 10000))
at() { echo "127.0.0.1:$((base + $1))"; }
issuer="http://$(at 0)" fulcio="http://$(at 1)" tsa="http://$(at 4)/api/v1/timestamp" rekor="http://$(at 5)"
start() { # NAME COMMAND...
	"${@:2}" >"$1.log" 2>&1 &
	pids+=($!)
}
cat >fulcio.yaml <<EOF
oidc-issuers:
  $issuer:
    issuer-url: $issuer
    client-id: sigstore
    type: email
    challenge-claim: email
EOF
openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out rekor.pem
start local ./sigstoretest "$(at 0)" "$(at 8)" "$(at 9)"
start tsa "$bin/timestamp-server" serve --host 127.0.0.1 --port $((base + 4)) --timestamp-signer memory --disable-ntp-monitoring
start rekor "$bin/posix" serve --hostname 127.0.0.1 --http-port $((base + 5)) --grpc-port $((base + 6)) --http-metrics-port $((base + 7)) \
	--signer-filepath rekor.pem --storage-dir "$work/log" --checkpoint-interval 1s --batch-max-age 100ms
ready() { # URL
	for _ in $(seq 150); do
		curl -sf -o /dev/null "$1" && return
		sleep 0.1
	done
	echo "sigstore: no answer from $1" >&2
	return 1
}
ready "$issuer/keys"
start fulcio "$bin/fulcio" serve --ca=ephemeralca --ct-log-url= --host=127.0.0.1 --port=$((base + 1)) --grpc-host=127.0.0.1 --grpc-port=$((base + 2)) \
	--metrics-port=$((base + 3)) --config-path=fulcio.yaml --legacy-unix-domain-socket="@sallyport-fulcio-$base"
ready "$fulcio/api/v2/trustBundle"
ready "http://$(at 4)/api/v1/timestamp/certchain"
ready "$rekor/healthz"

curl -sf "$fulcio/api/v2/trustBundle" | sed 's/.*"certificates":\["\([^"]*\)".*/\1/; s/\\n/\n/g' >fulcio.crt
curl -sf "http://$(at 4)/api/v1/timestamp/certchain" >tsa.crt
openssl ec -in rekor.pem -pubout -out rekor.pub 2>/dev/null
since=start-time=2024-01-01T00:00:00Z
"$bin/cosign" trusted-root create --fulcio="url=$fulcio,certificate-chain=fulcio.crt,$since" --rekor="url=$rekor,public-key=rekor.pub,$since" \
	--tsa="url=$tsa,certificate-chain=tsa.crt" --out root.json 2>/dev/null
"$bin/cosign" signing-config create --fulcio="url=$fulcio,api-version=1,$since,operator=test" --oidc-provider="url=$issuer,api-version=1,$since,operator=test" \
	--rekor="url=$rekor,api-version=2,$since,operator=test" --rekor-config=ANY --tsa="url=$tsa,api-version=1,$since,operator=test" --tsa-config=ANY --out services.json

failed=0
try() { # CODE WHAT COMMAND...
	local want=$1 what=$2 got=0
	shift 2
	"$@" >out 2>err || got=$?
	if [[ $got == "$want" ]]; then
		echo "ok    $what"
	else
		echo "FAIL  $what: exit $got, want $want"
		cat out err
		failed=1
	fi
}
says() { # PATTERN: of the last try
	grep -qE -- "$1" out err || {
		echo "FAIL  it does not say: $1"
		cat out err
		failed=1
	}
}

type=https://sallyport.dev/manifest/v1
printf 'the blob' >blob
digest="$(sha256sum blob | cut -d' ' -f1)"
predicate='{"serial":7,"issued":"2026-01-02T03:04:05Z"}'
statement() { # DIGEST
	printf '{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"blob","digest":{"sha256":"%s"}}],"predicateType":"%s","predicate":%s}' "$1" "$type" "$predicate"
}
statement "$digest" >manifest.json
echo '{"serial":9,"issued":"2026-01-02T03:04:05Z"}' >predicate.json
ours=(--trusted-root root.json --identity 'dev@example\.test' --issuer "$issuer")
theirs=(--trusted-root root.json --certificate-identity dev@example.test --certificate-oidc-issuer "$issuer" --insecure-ignore-sct --use-signed-timestamps)

echo "== keys"
"$bin/cosign" generate-key-pair --output-key-prefix cosign 2>/dev/null
openssl genpkey -algorithm ed25519 -out ed.key 2>/dev/null
openssl pkey -in ed.key -pubout -out ed.pub
openssl genrsa -out rsa.key 3072 2>/dev/null
openssl pkey -in rsa.key -pubout -out rsa.pub
for key in cosign ed rsa; do
	try 0 "we sign with the $key key" ./sallyport manifest sign manifest.json --key $key.key -o $key.json
	try 0 "cosign verifies it" "$bin/cosign" verify-blob-attestation --key $key.pub --bundle $key.json --type $type --insecure-ignore-tlog blob
	try 0 "we verify it" ./sallyport manifest verify $key.json --key $key.pub --subject "sha256:$digest"
done
try 1 "another key is refused" ./sallyport manifest verify ed.json --key rsa.pub
try 0 "cosign signs with a key, log and timestamp" "$bin/cosign" attest-blob --yes --key cosign.key --signing-config services.json --trusted-root root.json \
	--statement manifest.json --bundle theirs.json
try 0 "we verify it" ./sallyport manifest verify theirs.json --key cosign.pub --subject "sha256:$digest"
try 0 "and its log and timestamp" ./sallyport manifest verify theirs.json --key cosign.pub --trusted-root root.json
says 'transparency log, timestamp'
try 1 "ours without a log is refused then" ./sallyport manifest verify cosign.json --key cosign.pub --trusted-root root.json
says 'refused: log:'
try 0 "we sign with a key, log and timestamp" ./sallyport manifest sign manifest.json --key cosign.key --rekor-url "$rekor" --rekor-version 2 --tsa-url "$tsa" \
	--trusted-root root.json -o logged.json
try 0 "we verify all of it" ./sallyport manifest verify logged.json --key cosign.pub --trusted-root root.json
try 0 "cosign verifies all of it" "$bin/cosign" verify-blob-attestation --key cosign.pub --trusted-root root.json --use-signed-timestamps --bundle logged.json --type $type blob

echo "== keyless"
curl -sf "$issuer/token" >token
try 0 "we sign with an identity" ./sallyport manifest sign manifest.json --keyless --identity-token token --signing-config services.json --trusted-root root.json -o keyless.json
try 0 "we verify it" ./sallyport manifest verify keyless.json "${ours[@]}" --subject "sha256:$digest"
says 'signer +dev@example.test'
try 0 "cosign verifies it" "$bin/cosign" verify-blob-attestation "${theirs[@]}" --bundle keyless.json --type $type blob
unshare -rn true 2>/dev/null && try 0 "offline, in a world without a network" unshare -rn ./sallyport manifest verify keyless.json "${ours[@]}"
try 0 "we sign with a workflow's identity" env ACTIONS_ID_TOKEN_REQUEST_URL="$issuer/workflow?x=1" ACTIONS_ID_TOKEN_REQUEST_TOKEN=runner \
	./sallyport manifest sign manifest.json --keyless --fulcio-url "$fulcio" --rekor-url "$rekor" --rekor-version 2 --tsa-url "$tsa" -o workflow.json
try 0 "we verify it" ./sallyport manifest verify workflow.json "${ours[@]}"
try 0 "cosign signs with an identity" "$bin/cosign" attest-blob --yes --identity-token "$(curl -sf "$issuer/token")" --signing-config services.json --trusted-root root.json \
	--statement manifest.json --bundle theirs.json
try 0 "we verify it" ./sallyport manifest verify theirs.json "${ours[@]}" --subject "sha256:$digest"
try 1 "another identity is refused" ./sallyport manifest verify keyless.json --trusted-root root.json --identity 'dev@example' --issuer "$issuer"
says 'refused: identity:'
try 1 "another issuer is refused" ./sallyport manifest verify keyless.json --trusted-root root.json --identity 'dev@example\.test' --issuer "$issuer/x"
says 'refused: issuer:'
try 1 "a certificate is no key" ./sallyport manifest verify keyless.json --key cosign.pub
try 2 "a trusted root alone is not enough" ./sallyport manifest verify keyless.json --trusted-root root.json
sed 's/"payload":"[^"]*"/"payload":"'"$(statement "${digest//[0-9]/0}" | base64 -w0)"'"/' keyless.json >tampered.json
try 1 "another payload is refused" ./sallyport manifest verify tampered.json "${ours[@]}"
says 'refused: signature:'
try 1 "cosign refuses it, too" "$bin/cosign" verify-blob-attestation "${theirs[@]}" --bundle tampered.json --type $type blob
cp token bad && printf x >>bad
try 2 "a bad token gets no certificate" ./sallyport manifest sign manifest.json --keyless --identity-token bad --signing-config services.json -o bad.json
try 1 "and no file is left" test -e bad.json

echo "== registries"
config='{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"config":{}}'
push() { # REGISTRY: an image without layers
	local repo="http://$1/v2/acme/server" sum upload
	sum="sha256:$(printf %s "$config" | sha256sum | cut -d' ' -f1)"
	upload="$(curl -sf -X POST -D - -o /dev/null "$repo/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')"
	curl -sf -o /dev/null -X PUT --data-binary "$config" "http://$1${upload#http://"$1"}?digest=$sum"
	printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":%d,"digest":"%s"},"layers":[]}' ${#config} "$sum" >image.json
	curl -sf -o /dev/null -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary @image.json "$repo/manifests/v1"
}
for registry in "$(at 8)" "$(at 9)"; do
	kind=referrers
	[[ $registry == "$(at 9)" ]] && kind="fallback tag"
	push "$registry"
	image="$registry/acme/server:v1"
	statement "$(sha256sum image.json | cut -d' ' -f1)" >image-manifest.json
	./sallyport manifest sign image-manifest.json --key cosign.key -o image.sigstore.json
	try 1 "$kind: nothing is attached yet" ./sallyport manifest verify --image "$image" --key cosign.pub
	try 0 "$kind: we attach" ./sallyport manifest attach image.sigstore.json --image "$image"
	mv out first
	try 0 "$kind: again" ./sallyport manifest attach image.sigstore.json --image "$image"
	mv out second
	try 0 "$kind: changes nothing" cmp first second
	try 0 "$kind: we find and verify it" ./sallyport manifest verify --image "$image" --key cosign.pub
	try 0 "$kind: cosign finds and verifies it" "$bin/cosign" verify-attestation --key cosign.pub --type $type --insecure-ignore-tlog --allow-http-registry "$image"
	# cosign attest writes statements of the older type v0.1, which are not ours.
	try 0 "$kind: cosign attaches another attestation" "$bin/cosign" attest --yes --key cosign.key --predicate predicate.json --type $type --signing-config services.json --trusted-root root.json --allow-http-registry "$image"
	try 0 "$kind: ours is still found" ./sallyport manifest verify --image "$image" --key cosign.pub
	says 'serial +7'
	try 1 "$kind: another key is refused" ./sallyport manifest verify --image "$image" --key ed.pub
done
exit $failed
