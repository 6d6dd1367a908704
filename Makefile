# make test          what needs Go alone, in some minutes; it says what it left out
# make test ALL=1    everything that must hold, in CI size: up to half an hour
# make soak          the same at full size, and long fuzzing: hours
# make bench         the budgets, as ratios against bare baselines
# make release       the files of a release of the tool, from the current commit, in dist
#
# make cluster-up    Kubernetes on this machine, with a registry and a store, for trying
#                    things, as root on Linux; with TIER=simulated without root and
#                    without containers
# make cluster-down  ends all of it
#
# All of it needs Go; modules are fetched by the go command. The tests over Azurite
# need Node.js and npm, which they install it with; those of pages need Chromium, and
# those of metrics Prometheus, which they get as root from Debian's packages; without,
# they are left out, and say so. Those over Kubernetes need Linux, and some of them
# root. Its programs are built once for all clones, in up to half an hour.
#
# There are five modules: what users import, in otelmops what only those import who
# want OpenTelemetry, in test what only tests need, in release what makes the files of
# a release, and examples/parquet, since Arrow is large.

GO       ?= go
SUITE     = $(GO) -C test run ./suite
CLUSTER   = $(GO) -C test run ./cluster/cmd/cluster
# A number of executions: Go 1.26 may take the end of a time for a failure
# (https://go.dev/issue/75804).
FUZZTIME ?= 10000x

# The race detector sleeps for a second at every exit of a process, and the
# tests start thousands (https://go.dev/doc/articles/race_detector).
export GORACE = atexit_sleep_ms=0

.PHONY: test soak bench release vet lock staticcheck deadcode short race fuzz cluster-binaries cluster-up cluster-down

test: vet lock staticcheck deadcode $(if $(ALL),race fuzz,short)

# Compiles for every system that is supported, too; releases are made on Linux.
vet:
	@echo "vet: gofmt, and of all modules go vet, nilness, and builds for darwin and for 32 bits"
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	@$(GO) vet -tags cluster ./examples/gostats
	@set -e; nilness=$$($(GO) -C test tool -n nilness); for module in . otelmops test release examples/parquet; do \
		$(GO) -C $$module vet ./...; \
		$(GO) -C $$module vet -vettool="$$nilness" ./...; \
		$(GO) -C $$module mod verify >/dev/null; \
		case $$module in release | examples/parquet) continue; esac; \
		GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 $(GO) -C $$module vet ./...; \
		GOOS=linux GOARCH=386 CGO_ENABLED=0 $(GO) -C $$module vet ./...; \
	done
	@echo "vet: 23 passed, 0 failed"

# The functions of the examples are what their locks say.
lock:
	@$(GO) tool mops-lock --check
	@$(GO) -C examples/parquet tool mops-lock --check
	@echo "lock: 2 passed, 0 failed"

# Its checks, and why one is left out: staticcheck.conf. Its own cache makes it a
# matter of seconds; the first time, it takes minutes.
staticcheck:
	@set -e; staticcheck=$$($(GO) -C test tool -n staticcheck); for module in . otelmops test release examples/parquet; do \
		(cd $$module && "$$staticcheck" ./...); \
	done
	@echo "staticcheck: 5 passed, 0 failed"

# Looks at all modules as one program, since each may use what the other has. An
# example without output is compiled, and nothing calls it. It reads the source of
# all dependencies, into some 6 GB; collecting less garbage takes a third off its time.
deadcode:
	@dead=$$(GOGC=400 $(GO) -C test tool deadcode -test -filter '^github.com/TrilliantHealth/mops-go' \
		./... github.com/TrilliantHealth/mops-go/...) || exit 1; \
	dead=$$(echo "$$dead" | grep -v 'unreachable func: Example'); test -z "$$dead" || { echo "$$dead"; exit 1; }
	@echo "deadcode: 1 passed, 0 failed"

# -count=1: tests read pages, run the go command, and look at the other module,
# and the go command does not know when these have changed.
short:
	@$(SUITE) short ..,../otelmops,../release,../examples/parquet,. -count=1 -short -timeout 10m ./...
	@echo "  the rest, with the race detector and for up to half an hour: make test ALL=1"

# vet has run before, and a binary without the debugger's data is linked in half the time.
# The tests of the release compress much and do nothing side by side.
race: cluster-binaries
	@$(SUITE) race ..,../otelmops,../examples/parquet,. -count=1 -race -vet=off -ldflags=-w -timeout 30m ./...
	@$(SUITE) release ../release -count=1 -vet=off -timeout 30m ./...

# Every fuzz target for a short while; its corpus of seeds runs with the tests. By
# default Go takes up to a minute to make each new input smaller, and would hardly
# come to fuzzing; 10x are ten executions.
fuzz:
	@set -e; grep -ro --include='*_test.go' '^func Fuzz[A-Za-z0-9]*' . | sort | while IFS=: read -r file target; do \
		target=$${target#func }; \
		$(SUITE) $$target .. -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$(dirname $$file); \
	done

soak: export MOPS_SOAK=1
soak: cluster-binaries
	@$(SUITE) soak ..,../release,../examples/parquet,. -count=1 -race -timeout 3h ./...
	@$(MAKE) fuzz FUZZTIME=10m

# One run; for comparisons: go test -bench . -count 10 … | tee new.txt; benchstat old.txt new.txt
bench:
	@$(GO) test -run '^$$' -bench . -benchtime 1s ./...
	@$(GO) -C test test -run '^$$' -bench . -benchtime 1s ./...

# From a clone of the commit, so that the same commit makes the same files anywhere.
release:
	@rm -rf dist
	@$(GO) -C release run . -o ../dist

cluster-binaries:
	@$(CLUSTER) binaries

cluster-up:
	@$(CLUSTER) up $(TIER)

cluster-down:
	@$(CLUSTER) down
