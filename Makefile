# Everything here runs on a machine with Go and git; what needs more says so.
GO ?= go
FUZZTIME ?= 30s

# What is built to be tried out may be of a tree with changes: ENV=staging, from
# `make deploy` or the environment, or DIRTY=1. Not by default: who calls `sam build`
# by hand may mean production.
TRYING := $(or $(filter staging,$(ENV)),$(filter 1,$(DIRTY)))
ENV ?= staging

.PHONY: holes sizes bench-local bench-search load-viewer test-media test-browser test-template costs deploy build-Puller build-Archiver build-Media build-Directory build-Callback build-Compactor build-Reindexer build-Admin build-Signin help test race test-whole lint fuzz duckdb test-aws test-sdk layer bench memory build local ci platforms vuln memory-compact memory-reindex

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-14s %s\n", $$1, $$2}'

local: ## run the whole system on simulated data
	$(GO) run ./cmd/wecom-archive local

test: ## all tests that need only Go
	$(GO) test ./...

race: ## the same under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race ./...

test-whole: ## those packages whose tests the race detector shortens, without it
	bash infra/wholetests.sh

lint: ## formatting, vet, staticcheck
	@test -z "$$(gofmt -l . | tee -a /dev/stderr)" || (echo 'run: gofmt -w .' && false)
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

# A tool of its own version, not one of go.mod: what it needs would raise what we ship.
vuln: ## known weaknesses in what we import and in Go (needs the network: https://vuln.go.dev)
	$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

platforms: ## vet and build the command for macOS and Windows, where its tests were never run
	for os in darwin windows; do \
		GOOS=$$os CGO_ENABLED=0 $(GO) vet ./cmd/... ./infra/local/... ./shared/... && \
		GOOS=$$os CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/wecom-archive || exit 1; \
	done

fuzz: ## each fuzz target for FUZZTIME
	FUZZTIME=$(FUZZTIME) bash infra/fuzz.sh

duckdb: ## read the archive with DuckDB (needs a C compiler)
	cd infra/duckdb && CGO_ENABLED=1 $(GO) vet ./... && CGO_ENABLED=1 $(GO) test ./...

test-browser: ## the viewer in Debian's Chromium (needs npm, installs chromium)
	bash infra/browser/test.sh

test-aws: ## the AWS adapters against stand-ins (needs node, npm, python3, cc)
	bash infra/aws/test.sh

test-sdk: ## the native library's processes on a stand-in in C (needs cc)
	$(GO) vet -tags sdk ./shared/wecom/... ./infra/... ./cmd/...
	$(GO) tool staticcheck -tags sdk ./shared/wecom/financesdk/... ./infra/local ./cmd/wecom-archive
	CGO_ENABLED=0 $(GO) test -count=1 -tags sdk ./shared/wecom/financesdk/...
	CGO_ENABLED=0 $(GO) test -count=1 -tags sdk -run Library ./infra/local ./cmd/wecom-archive

layer: ## Lambda layer of WeCom's library: SDK=download [VERSION=date] [LIBS=folder with libz]
	$(GO) run ./infra/layers -sdk '$(SDK)' -version '$(VERSION)' -libs '$(LIBS)'

memory: ## peak memory for a small and a large archive
	bash infra/bench/memory.sh

bench-search: ## searches over 1,000,000 messages, against DuckDB and grep (needs a C compiler, zstd, python3)
	bash infra/bench/bench_search.sh

memory-compact: ## peak memory of compacting 2,000,000 messages
	bash infra/bench/memory_compact.sh

test-media: ## 3,000 files of 3 GB in all, 20 kills, peak memory, throughput
	bash infra/bench/media.sh

holes: ## 3,000 archives damaged at random, and what becomes of them (an hour)
	bash infra/bench/holes.sh

memory-reindex: ## peak memory of reindexing 2,000,000 messages
	bash infra/bench/memory_reindex.sh

load-viewer: ## requests and time of each screen of the viewer, of 1,000,000 messages
	bash infra/bench/viewerload.sh

bench: ## speed and memory, as ratios measured side by side
	$(GO) test -run '^$$' -bench . -benchmem ./...

bench-local: ## CPU a message on one machine, against a program of before
	bash infra/bench/cpu.sh

build: ## functions and command for both architectures, without cgo
	bash infra/build.sh

sizes: build ## sizes of functions and command, with their limits
	bash infra/sizes.sh

test-template: ## the stack's template, its rules and permissions (needs node, npm, python3)
	bash infra/template/test.sh

costs: ## what the stack costs a month, as README's table
	$(GO) run ./infra/costs

deploy: ## sam deploy; ENV=staging, production, production-cn
	ENV=$(ENV) sam build && sam deploy --config-env $(ENV)

# What `sam build` calls for each function. SDK_GOARCH=arm64 with the parameter
# SdkArchitecture=arm64. What the tag is for: CONTRIBUTING.md, "Sizes".
SDK_GOARCH ?= amd64
build-Puller build-Archiver build-Media: GOARCH = $(SDK_GOARCH)
build-Directory build-Callback build-Compactor build-Reindexer build-Admin build-Signin: GOARCH = arm64
build-Puller build-Archiver build-Media build-Directory build-Callback build-Compactor build-Reindexer build-Admin build-Signin: build-%:
	CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH) $(GO) build -tags lambda.norpc -trimpath -ldflags '-s -w' -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/$(shell echo $* | tr A-Z a-z)
	$(if $(TRYING),,GOOS= GOARCH= $(GO) run ./infra/traceable "$(ARTIFACTS_DIR)/bootstrap")

ci: ## all that CI runs
	bash .ci/run
