# The two commands of the README need Go, a C compiler and git: make demo, make test.
.DEFAULT_GOAL := all
GO ?= go
FUZZTIME ?= 50000x
BIN := bin/sallyport

.PHONY: all build demo test test-sigstore test-launchers test-servers race lint fuzz bench bench-shim soak conformance clients eval train docs check-docs rule clean self-scan

all: build test lint ## build, test, lint

build: ## the program, in bin/
	@mkdir -p bin
	$(GO) build -trimpath -o $(BIN) ./cmd/sallyport

demo: build ## scan fixtures/demo and write text and SARIF to bin/demo
	@mkdir -p bin/demo
	@$(BIN) scan fixtures/demo --registry fixtures/demo/sallyport.registry.yaml --output text=bin/demo/report.txt --output sarif=bin/demo/report.sarif --output json=bin/demo/report.json --output markdown=bin/demo/report.md --fail-on never
	@echo; $(BIN) registry explain everyone files --registry fixtures/demo/sallyport.registry.yaml
	@echo; $(BIN) registry export --registry fixtures/demo/sallyport.registry.yaml --to claude-code
	@echo; echo "At run time the same server is stopped, with the finding that the scan has:"
	@$(GO) build -trimpath -o bin/demo/mcpserver ./internal/mcptest/mcpserver
	@rm -rf bin/demo/state bin/demo/audit.jsonl
	@! $(BIN) run --registry fixtures/demo/desk.registry.yaml --name parcels --state bin/demo/state --audit bin/demo/audit.jsonl -- bin/demo/mcpserver fixtures/demo/captures/parcels.tools.json <fixtures/demo/client.jsonl
	@echo; echo "Two servers behind one connection: what one does to a tool of the other shows with both in view."
	@$(BIN) run --registry fixtures/demo/desk.registry.yaml --servers fixtures/demo/captures/desk.servers.json --state bin/demo/state --audit bin/demo/audit.jsonl <fixtures/demo/several.jsonl
	@echo; $(BIN) audit report bin/demo/audit.jsonl --state bin/demo/state
	@echo; echo "written: bin/demo/report.txt report.sarif report.json report.md"

test: ## every unit and script test
	$(GO) test ./...

test-sigstore: ## sign and verify with cosign against a private Sigstore; builds both first
	.ci/sigstore.sh

test-launchers: ## what runs behind the real npx and uvx; fetches two small servers
	SALLYPORT_LAUNCHERS=1 $(GO) test -count=1 -run '^TestLaunchers$$' -v ./runtime/identity

test-servers: build ## inspect real servers from npm, confined, with a network and without
	.ci/inspect-servers.sh

race: ## the same with the race detector
	$(GO) test -race ./...

lint: ## formatting, vet, staticcheck, generated pages
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	@$(MAKE) --no-print-directory check-docs

self-scan: build ## this repository, judged by itself
	$(BIN) scan . --fail-on high

fuzz: ## every fuzz target for FUZZTIME (a count: a time limit ends some runs with a false failure)
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; done

bench: ## CPU and memory of a scan against reading the same tree; all rules on one text
	$(GO) run ./internal/bench
	$(GO) test -run '^$$' -bench . ./rules/catalog

bench-shim: ## what the shim adds to a server, against a raw byte pump in the same run
	$(GO) run ./internal/benchshim

soak: ## 100,000 calls through the shim while the server is killed, against the audit log; Linux
	$(GO) run ./internal/soak

conformance: ## the MCP conformance suite through the shim, against the same without it
	.ci/conformance.sh

clients: ## real MCP clients through the shim; installs them first
	.ci/clients-shim.sh

eval: ## judge our own corpus; the floors are where the judge stands, raise them with it
	$(GO) run ./internal/train -check
	$(GO) run ./internal/eval -recall 66 -alarms 4.5 -harmless 0.2 -pages 0

train: ## learn the judge's model from fixtures/corpus
	$(GO) run ./internal/train

docs: ## generate docs/rules, the parts of README.md that are program output, and the judge's form of its model
	$(GO) run ./internal/train -encode
	$(GO) run ./internal/gen

check-docs:
	$(GO) run ./internal/train -encode -check
	$(GO) run ./internal/gen -check

rule: ## lay out a new rule: make rule ID=my-rule FAMILY=cfg
	$(GO) run ./internal/newrule "$(ID)" "$(or $(FAMILY),cfg)"
	gofmt -l rules

clean:
	rm -rf bin
