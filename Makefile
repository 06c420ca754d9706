# `make` lists what there is. CI (.ci/run) and the workflows call the same targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The modules of the project. The tools are modules of their own, because their dependencies conflict (docs/adr/0007).
MODULES := . engine test/upstream
TOOLS := $(patsubst %/go.mod,%,$(wildcard hack/tools/*/go.mod hack/cluster/modules/*/go.mod))

# The examples are built as of this day, on which none of their exceptions has expired.
EXAMPLES_AT := 2026-11-22

# Without -trimpath, so that the tests' cache serves; releases have it (.goreleaser.yaml).
BUILD := go build -ldflags '-s -w'
GOLANGCI := $(CURDIR)/bin/golangci-lint
GORELEASER := $(CURDIR)/bin/goreleaser

# each runs a command in the folder of every module.
each = for module in $(MODULES); do (cd $$module && $(1)); done

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "%-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/gatehouse and bin/gatehouse-engine
	$(BUILD) -o bin/ ./cmd/gatehouse
	cd engine && $(BUILD) -o ../bin/ ./cmd/gatehouse-engine

.PHONY: test
test: ## Run the tests of every module (make verify vets)
	$(call each,go test -vet=off -timeout 30m ./...)

.PHONY: test-short
test-short: ## Run the tests that need neither the Kyverno engine nor Helm
	go test -short ./...

.PHONY: results
results: ## Record what the engine says of each document of the catalogue
	cd engine && go test ./clitest -run TestResults -update

.PHONY: e2e
e2e: ## Run the end-to-end tests on a real API server, Kyverno and Flux, which it builds first (once, 20 minutes)
	go run ./hack/cluster build
	go test -vet=off -tags e2e -short -timeout 70m -v ./test/e2e

.PHONY: lint
lint: ## Check the style and the direction of imports (.golangci.yml)
	go -C hack/tools/lint build -o $(GOLANGCI) github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	$(call each,$(GOLANGCI) run ./...)

.PHONY: fmt
fmt: ## Format the Go files
	gofmt -w $$(git ls-files '*.go')

.PHONY: generate
generate: ## Write again what is made from something else: schemas, references, examples
	go run ./hack/crds
	go run ./hack/schema
	@for example in examples/*; do ( set -x; go run -buildvcs=false ./cmd/gatehouse build $$example -o $$example/policy-repo --now $(EXAMPLES_AT) ); done

.PHONY: verify
verify: generate ## Fail if a file is not generated, formatted, tidy, vetted or explained
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo 'not formatted (make fmt):'; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(call each,go mod tidy -diff && go vet ./...)
	go vet -tags e2e ./test/e2e
	go run ./hack/dependencies $(MODULES) $(TOOLS)
	@test -z "$$(git status --porcelain)" || { echo 'make generate changes, or leaves uncommitted:'; git status --porcelain; git --no-pager diff | head -n 200; exit 1; }

# What make nightly does more of than make test: the end-to-end tests that -short skips, random histories of edits, random
# objects, and minutes of each fuzzer.
LONG_E2E := TestChanges|TestGoodPodsWithoutKyverno|TestPolicyTypes|TestQuiet|TestRandomProfiles|TestShards
HISTORIES := 3000
OBJECTS := 100000
FUZZTIME := 1m

.PHONY: nightly
nightly: ## Run what takes longer than CI may: the long end-to-end tests, more random histories and objects, fuzzing
	go run ./hack/cluster build
	go test -vet=off -tags e2e -timeout 2h -v -run '$(LONG_E2E)' ./test/e2e
	cd engine && for kind in ValidatingPolicy ValidatingAdmissionPolicy; do go test -vet=off -timeout 1h ./proof -run TestException -policy-type $$kind || exit 1; done
	cd engine && go test -vet=off -timeout 4h -v ./promise -seed 0 -histories $(HISTORIES)
	cd engine && go test -vet=off -timeout 8h -v ./proof -run TestTargetsAgree -seed 0 -objects $(OBJECTS)
	cd engine && go test -vet=off -timeout 2h -v ./proof -run TestPodSecurityStandards -seed 0 -objects 10000
	grep -ro --include='*_test.go' '^func Fuzz[A-Za-z]*' cmd engine generator internal judge rollout | sed -E 's|^(engine/)?(.*)/[^/]*_test.go:func |\1. \2 |' | \
	  while read -r module dir fuzz; do go -C $$module test -vet=off -run '^$$' -fuzz "^$$fuzz\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "./$$dir"; done

.PHONY: bench
bench: ## Measure against the limits of docs/benchmarks.md and write it
	go run ./hack/bench -o docs/benchmarks.md

.PHONY: release-check
release-check: ## Make a release of the compiler in dist/ without image, signatures and upload
	go -C hack/tools/release build -o $(GORELEASER) github.com/goreleaser/goreleaser/v2
	$(GORELEASER) check
	WITHOUT_ENGINE=1 $(GORELEASER) release --snapshot --clean --skip=ko,sign,publish

.PHONY: release
release: ## Release the tag that is checked out (the release workflow does)
	go -C hack/tools/release build -o $(GORELEASER) github.com/goreleaser/goreleaser/v2
	$(GORELEASER) release --clean

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin dist
