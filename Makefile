# "make" alone lists the targets. CI runs them through .ci/run.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BENCHTIME ?= 1x
BENCHFLAGS ?=
OLD       ?=
FUZZTIME  ?= 2m
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

# Tools are pinned in modules of their own; see tools/go.mod.
STATICCHECK := go tool -modfile=tools/go.mod staticcheck
BUF         := go tool -modfile=../tools/buf/go.mod buf
PLUGINS     := google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc

# Folders of all modules, and of those that have code.
MODULES      = $(shell find . -name go.mod -not -path './.*' -not -path '*/testdata/*' -not -path '*/node_modules/*' -exec dirname {} \; | sort)
CODE_MODULES = $(filter-out ./tools ./tools/%,$(MODULES))

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: test
test: ## run the tests
	go test ./...

.PHONY: race
race: ## run the tests under the race detector
	@go test -race -run='^$$' ./... >/dev/null # build with all processors
	go test -race -p=1 ./... # one package at a time: some watch a clock, as people do

.PHONY: test-console
test-console: ## use the console in Chromium, which apt installs where it can
	@if ! command -v chromium chromium-browser google-chrome >/dev/null && command -v apt-get >/dev/null && [[ $$(id -u) == 0 ]]; then \
		apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium fonts-dejavu-core; \
	fi
	@command -v chromium chromium-browser google-chrome >/dev/null || echo "Chromium is not installed: the console is not tested in a browser" >&2
	cd console/browsertest && go vet ./... && go test -parallel=2 ./...

.PHONY: test-proxy
test-proxy: ## use lro serve through nginx, which apt installs where it can
	@if [[ ! -x /usr/sbin/nginx ]] && ! command -v nginx >/dev/null && command -v apt-get >/dev/null && [[ $$(id -u) == 0 ]]; then \
		apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nginx-light; \
	fi
	@[[ -x /usr/sbin/nginx ]] || command -v nginx >/dev/null || { echo "nginx is not installed: lro serve is not tested behind it" >&2; [[ -z $${CI:-} ]]; }
	go test ./internal/cli/host -count=1 -run='^TestNginx$$'

POSTGRES = $(firstword $(wildcard /usr/lib/postgresql/*/bin/postgres) $(shell command -v postgres))

.PHONY: install-postgres
install-postgres:
	@if [[ -z "$(POSTGRES)" ]] && command -v apt-get >/dev/null && [[ $$(id -u) == 0 ]]; then \
		apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql; \
	fi

# PgBouncer, and a library that has the server see another time.
.PHONY: install-postgres-faults
install-postgres-faults:
	@if ! command -v /usr/sbin/pgbouncer pgbouncer >/dev/null || ! compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null; then \
		if command -v apt-get >/dev/null && [[ $$(id -u) == 0 ]]; then \
			apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends pgbouncer faketime; \
		fi; \
	fi

FAULT_ROUNDS ?= 2
KILL_ROUNDS  ?= 200

# The processes of the fault tests are copies of the test binary, so the race
# detector sees them too.
.PHONY: test-postgres
test-postgres: install-postgres install-postgres-faults ## test what runs on PostgreSQL, which apt installs where it can, with FAULT_ROUNDS (2) faults of each sort, KILL_ROUNDS (200) of them kill -9
	LRO_POSTGRES=$${CI:+1} go test -race -count=1 ./internal/pgtest ./server/engine/postgres
	LRO_POSTGRES=$${CI:+1} go test -race -count=1 -parallel=2 -timeout=0 ./server/engine/postgres/internal/faulttest -fault-rounds=$(FAULT_ROUNDS) -kill-rounds=$(KILL_ROUNDS) -simulation-lanes=2

.PHONY: demo-postgres
demo-postgres: install-postgres ## kill one of three workers under 50 operations on PostgreSQL, and show what became of them
	go run ./internal/killdemo/postgres

# One package at a time: they start a Temporal service and workers each. Their
# processes are copies of the test binary, so the race detector sees them too.
.PHONY: test-temporal
test-temporal: install-postgres ## test the engine on Temporal, whose server is built (minutes, once)
	cd temporal/devserver && go vet ./...
	cd temporal && go vet ./... && go tool -modfile=../tools/go.mod staticcheck ./...
	cd temporal && LRO_TEMPORAL=1 LRO_POSTGRES=1 go test -race -p=1 -parallel=2 -timeout=30m ./...
	cd temporal && LRO_TEMPORAL=1 go test -race -count=1 -timeout=0 ./internal/faulttest -run='^TestSimulation$$' -simulation-lanes=4 -simulation.seeds=1-8
	cd bench && LRO_TEMPORAL=1 go test -count=1 -run=TestSides ./sides

.PHONY: bench-temporal
bench-temporal: ## compare operations on Temporal with the Temporal SDK, and 4 workers with 1
	cd temporal && LRO_TEMPORAL=1 LRO_FIGURES=1 go test -run=Figures -count=1 -v ./internal/faulttest

.PHONY: demo-temporal
demo-temporal: ## kill one of three workers under 50 operations on Temporal, and show what became of them
	cd temporal && go run ./cmd/demo

.PHONY: test-kill
test-kill: ## kill a process that runs operations KILL_ROUNDS (200) times
	go test ./server/engine/sqlite -count=1 -run='^TestKill$$' -kill-rounds=$(KILL_ROUNDS) -v

# Without SEEDS, as many as CI has the time for. KEEP and HISTORY, which a failure
# prints, are the steps of a program that are enough for it, and a file to judge
# again. ENGINE=postgres and ENGINE=temporal run LANES programs at once, in real
# time.
ENGINE  ?= sqlite
SEEDS   ?= $(if $(filter postgres temporal,$(ENGINE)),1-40,1-400)
KEEP    ?=
HISTORY ?=
HOURS   ?= 1
LANES   ?= 4
AGAIN    = $(if $(filter postgres temporal,$(ENGINE)),2,10)

# want ends make unless a variable has one of the values, a regular expression.
want = $(if $(shell [[ '$($(1))' =~ ^($(2))$$ ]] && echo yes),,$(error $(1)=$($(1)): want $(2)))

SIMULATED.sqlite   = GOMAXPROCS=1 go test ./server/engine/sqlite
SIMULATED.future   = GOMAXPROCS=1 go test ./internal/simulation/future
SIMULATED.postgres = LRO_POSTGRES=1 go test ./server/engine/postgres/internal/faulttest -simulation-lanes=$(LANES)
SIMULATED.temporal = cd temporal && LRO_TEMPORAL=1 go test ./internal/faulttest -simulation-lanes=$(LANES)
SIMULATE = $(call want,ENGINE,sqlite|postgres|temporal|future)$(call want,LANES,[1-9][0-9]*)$(SIMULATED.$(ENGINE)) -count=1 -run='^TestSimulation$$' -timeout=0 -v -simulation.again=$(AGAIN) -simulation.out=$(CURDIR)/.cache/simulation

.PHONY: simulate
simulate: ## run the programs of SEEDS on ENGINE (sqlite; postgres; temporal; or future, which has no engine), and judge their histories
	@mkdir -p .cache/simulation
	@$(SIMULATE) -simulation.seeds=$(SEEDS) -simulation.keep=$(KEEP) -simulation.history=$(abspath $(HISTORY)) \
		-simulation.totals=$(CURDIR)/.cache/simulation/totals.json | grep -v '^ *\(===\|--- PASS\)'

.PHONY: soak
soak: ## run the programs of new seeds for HOURS (1), and add to docs/reliability/totals.json
	@mkdir -p .cache/simulation docs/reliability
	$(call want,HOURS,[0-9]+(\.[0-9]+)?)
	@seed=$$(date +%s)0000; $(SIMULATE) -simulation.seeds=$$seed -simulation.for=$(HOURS)h \
		-simulation.totals=$(CURDIR)/docs/reliability/totals.json | grep -v '^ *\(===\|--- PASS\)'

# Other seeds than the published ones leave docs as they are.
SIDES = $(if $(filter file,$(origin SEEDS)),-seeds=1-20 -out=../docs/reliability,-seeds=$(SEEDS) -out=../.cache/simulation)

.PHONY: side-by-side
side-by-side: install-postgres ## play the programs of SEEDS (1-20), with kills and other faults, on lro, River and Temporal; writes docs/reliability/side-by-side.json
	@mkdir -p .cache/simulation docs/reliability
	cd bench && go run ./sides $(SIDES)

MUTANTS ?= .

.PHONY: mutants
mutants: ## have the simulation find the bugs in internal/simulation/testdata/mutants that match MUTANTS (.)
	GOMAXPROCS=1 go test ./internal/simulation -count=1 -run='^TestMutants$$' -mutants='$(MUTANTS)' -timeout=0 -v

CALLERS  ?= 64,256,1000
LOAD_FOR ?= 10m
LOADED.sqlite   = go test ./server/engine/sqlite
LOADED.postgres = LRO_POSTGRES=1 go test ./server/engine/postgres
LOADED.temporal = cd temporal && LRO_TEMPORAL=1 LRO_POSTGRES=1 go test .

.PHONY: load
load: $(if $(filter sqlite,$(ENGINE)),,install-postgres) ## put CALLERS (64,256,1000) on ENGINE (sqlite, postgres or temporal) for LOAD_FOR (10m) each
	$(call want,ENGINE,sqlite|postgres|temporal)$(call want,LOAD_FOR,([0-9.]+(ms|s|m|h))+)
	@$(LOADED.$(ENGINE)) -count=1 -run='^TestLoad$$' -timeout=0 -v -load.callers=$(CALLERS) -load.for=$(LOAD_FOR) | grep -v '^ *\(===\|--- PASS\)'

SAMPLE     ?= 300
PROCESSORS ?= 1

.PHONY: mutation
mutation: ## change the code at SAMPLE (300) places, one on each of PROCESSORS (1) at a time; add the outcomes to docs/reliability/mutations.txt; REDO=text makes those again
	GOMAXPROCS=1 nice -n 19 go test ./internal/mutation -count=1 -run='^TestSample$$' -parallel=$(PROCESSORS) -timeout=0 -v \
		-mutation.sample=$(SAMPLE) -mutation.lanes=$(PROCESSORS) -mutation.again='$(REDO)' \
		-mutation.file=$(CURDIR)/docs/reliability/mutations.txt | grep -v '^ *\(===\|--- PASS\)'

.PHONY: test-vanguard
test-vanguard: ## test the handler of all protocols, and the requests of docs/http.md by curl
	@if ! command -v curl >/dev/null && command -v apt-get >/dev/null && [[ $$(id -u) == 0 ]]; then \
		apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends curl ca-certificates; \
	fi
	cd lrovanguard && go vet ./... && go tool -modfile=../tools/go.mod staticcheck ./...
	cd lrovanguard && go test -race ./...

.PHONY: test-generator
test-generator: ## compare what protoc-gen-go-lro makes of Google's proto files with Google's clients, and run its recipes
	@if ! command -v protoc >/dev/null && command -v apt-get >/dev/null && [[ $$(id -u) == 0 ]]; then \
		apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends protobuf-compiler libprotobuf-dev; \
	fi
	cd internal/lrogen/google && go vet ./... && go test ./...

.PHONY: test-compute
test-compute: ## wait through the clients of Compute Engine, against a fake of it
	cd lroext/internal/computetest && go vet ./... && go test ./...

.PHONY: test-kin
test-kin: ## run the recipes of docs/kin.md through the clients of GKE, Cloud SQL and Gen AI, against fakes of them
	cd internal/kintest && go vet ./... && go tool -modfile=../../tools/go.mod staticcheck ./... && go test ./...

.PHONY: cover
cover: ## run the tests and print the share of statements they reach
	@mkdir -p .cache
	go test -coverpkg=./... -coverprofile=.cache/cover.out ./...
	go tool cover -func=.cache/cover.out | tail -n 1

# Without CI, clients that cannot be installed are missing from the comparison.
.PHONY: bench
bench: ## compare with other clients and bare limits; writes docs/benchmarks.md. With OLD, compare with that revision alone
	interop/install.sh python node || [[ -z $${CI:-} ]]
	cd bench && go run . $(if $(OLD),-old=$(OLD)) $(BENCHFLAGS)

.PHONY: bench-postgres
bench-postgres: install-postgres ## compare operations on PostgreSQL with bare SQL and River; writes docs/benchmarks/postgres.md
	cd bench && go run ./postgres $(BENCHFLAGS)

.PHONY: bench-short
bench-short: install-postgres ## run each benchmark for BENCHTIME (1x), and a bit of make bench and make bench-postgres
	go test -run='^$$' -bench=. -benchmem -benchtime=$(BENCHTIME) ./...
	interop/install.sh python node || [[ -z $${CI:-} ]]
	cd bench && go vet ./... && go test ./... && go run . -short
	[[ -z "$(POSTGRES)" ]] || (cd bench && go run ./postgres -short)

.PHONY: fuzz
fuzz: ## run each fuzz target on its seeds and corpus, and on nothing random
	go test -count=1 -run='^Fuzz' ./...
	cd temporal && go test -count=1 -run='^Fuzz' ./...
	cd lrovanguard && go test -count=1 -run='^Fuzz' ./...

# What it finds is in a testdata/fuzz folder, and is committed with the fix.
.PHONY: fuzz-nightly
fuzz-nightly: ## look for new inputs, FUZZTIME (2m) for each fuzz target
	tools/fuzz.sh $(FUZZTIME)

.PHONY: lint
lint: fmt-check vet staticcheck fix-check tidy-check ## run all static checks

.PHONY: fmt-check
fmt-check: ## fail if gofmt would change a file
	@files=$$(gofmt -l .); if [[ -n $$files ]]; then echo "not formatted by gofmt:"; echo "$$files"; exit 1; fi

.PHONY: vet
vet: ## run go vet
	go vet ./...

.PHONY: staticcheck
staticcheck: ## run staticcheck
	$(STATICCHECK) ./...

.PHONY: fix-check
fix-check: ## fail if go fix would change a file
	@set -e; for m in $(CODE_MODULES); do echo "$$m: go fix -diff ./..."; (cd $$m && go fix -diff ./...); done

.PHONY: tidy-check
tidy-check: ## fail if go mod tidy would change a go.mod or go.sum
	@set -e; for m in $(MODULES); do echo "$$m: go mod tidy -diff"; (cd $$m && go mod tidy -diff); done

.PHONY: api
api: ## write down the public API, after a change that is meant
	go test ./internal/arch -count=1 -run='^TestAPI$$' -update
	cd temporal && go test . -count=1 -run='^TestAPI$$' -update
	cd lrovanguard && go test . -count=1 -run='^TestAPI$$' -update

.PHONY: apidiff
apidiff: ## compare the public API with that of revision BASE, such as a tag
	tools/apidiff.sh $(BASE)

.PHONY: interop
interop: interop-servers interop-scenarios ## run official clients in Go, Python, Node, Java and a shell against our servers
	go run ./interop

.PHONY: interop-servers
interop-servers: ## wait for operations of servers that others wrote
	@code=0; interop/install.sh java || code=$$?; java=; \
	if [[ $$code == 3 && $${CI:-} != true ]]; then echo "Java is not installed: its server is left out" >&2; \
	elif [[ $$code != 0 ]]; then exit $$code; \
	else rm -rf .cache/interop/servers/lib; \
		mvn --quiet --batch-mode -Dstyle.color=never -f interop/servers/java/pom.xml compile dependency:copy-dependencies; \
		java=-java=$(CURDIR)/.cache/interop/servers; \
	fi; \
	cd interop/servers && go vet ./... && go test -count=1 ./... $$java

.PHONY: interop-scenarios
interop-scenarios: ## play the same scenarios through google-api-core's futures and ours
	@code=0; interop/install.sh python || code=$$?; \
	if [[ $$code == 3 && $${CI:-} != true ]]; then echo "Python is not installed: scenarios are not compared" >&2; exit 0; fi; \
	if [[ $$code != 0 ]]; then exit $$code; fi; \
	go test ./interop/scenarios -count=1 -python=$(CURDIR)/.cache/interop/python/bin/python

# The tests of other systems cannot run here, but they must compile.
.PHONY: cross
cross: ## build for each of PLATFORMS, and compile the tests for darwin and windows
	@set -e; for p in $(PLATFORMS); do \
		echo "go build ./... for $$p"; \
		CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go build ./...; \
	done
	@set -e; for os in darwin windows; do \
		echo "go vet ./... for $$os"; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=amd64 go vet ./...; \
	done

.PHONY: plugins
plugins:
	@mkdir -p .cache/bin
	@go build -modfile=tools/go.mod -o .cache/bin/ $(PLUGINS)
	@go build -buildvcs=false -o .cache/bin/ ./cmd/protoc-gen-go-lro # no revision in what it writes

.PHONY: proto
proto: plugins ## generate Go code from proto
	cd proto && PATH="$(CURDIR)/.cache/bin:$$PATH" $(BUF) generate

.PHONY: proto-check
proto-check: plugins ## lint proto, and fail if "make proto" would change a file
	cd proto && $(BUF) lint
	@rm -rf .cache/proto && mkdir -p .cache/proto/proto
	cd proto && PATH="$(CURDIR)/.cache/bin:$$PATH" $(BUF) generate -o $(CURDIR)/.cache/proto/proto
	@set -e; for f in $$(cd .cache/proto && find lropb temporal examples internal/computeop -name '*.go'); do diff -u $$f .cache/proto/$$f; done
	@set -e; for f in $$(find lropb temporal examples internal/computeop -name '*.pb.go'); do [[ -e .cache/proto/$$f ]] || { echo "$$f: no proto file makes it"; exit 1; }; done
