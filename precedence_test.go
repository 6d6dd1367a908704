package mops_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
)

// level is a place where something can be set. The levels stand in the order
// that Option documents, the weakest first.
type level int

const (
	byNew level = iota
	byFile
	byEntry
	byDefine
	byContext
	byWith
	byEach
	byForce
	byEnvironment
	levels
)

func (l level) String() string {
	return []string{"New", "config file", "config entry", "Define", "WithOptions", "With", "Each", "config entry with force", "MOPS_*"}[l]
}

// how a call was made, as far as its caller and its function can tell.
type how struct {
	root, pipeline, executor, timeout string
}

// setting is one that can be set at every level.
type setting struct {
	key    string             // in a config file
	value  func(level) string // as text; each level has its own
	option func(text string, at *stage) mops.Option
	seen   func(how) string
}

// stage makes one call, with executors named after the levels.
type stage struct {
	executors map[string]*tally
	defined   []mops.FuncOption // more of them
}

var allSettings = []setting{
	{
		key: "root", value: func(l level) string { return fmt.Sprintf("mem://precedence-%d", l) },
		option: func(text string, _ *stage) mops.Option { return mops.Root(text) },
		seen:   func(h how) string { return h.root },
	}, {
		key: "pipeline", value: func(l level) string { return fmt.Sprintf("pipeline-%d", l) },
		option: func(text string, _ *stage) mops.Option { return mops.Pipeline(text) },
		seen:   func(h how) string { return h.pipeline },
	}, {
		key: "executor", value: func(l level) string { return fmt.Sprintf("executor-%d", l) },
		option: func(text string, at *stage) mops.Option { return mops.On(at.executors[text]) },
		seen:   func(h how) string { return h.executor },
	}, {
		key: "timeout", value: func(l level) string { return fmt.Sprintf("%dh", l+1) },
		option: func(text string, _ *stage) mops.Option { return mops.Timeout(must(time.ParseDuration(text))) },
		seen:   func(h how) string { return h.timeout },
	},
}

func TestOfTwoPlacesTheOneDocumentedAsStrongerWins(t *testing.T) {
	for _, s := range allSettings {
		for strong := level(0); strong < levels; strong++ {
			if got := s.seen(callWith(t, s, strong)); got != s.value(strong) {
				t.Errorf("%s set by %v alone: %q, want %q", s.key, strong, got, s.value(strong))
			}
			for weak := level(0); weak < strong; weak++ {
				if got := s.seen(callWith(t, s, weak, strong)); got != s.value(strong) {
					t.Errorf("%s set by %v and %v: %q, want %q", s.key, weak, strong, got, s.value(strong))
				}
			}
		}
	}
}

func TestSettingsAreSettledOneByOne(t *testing.T) {
	// Each setting comes from another level, and none gets lost.
	at := newStage()
	timeout, pipeline := allSettings[3], allSettings[1]
	h := at.call(t, map[level][]setting{byDefine: {timeout}, byContext: {pipeline}, byNew: {allSettings[0], pipeline}, byEnvironment: {allSettings[2]}})
	want := how{root: "mem://precedence-0", pipeline: pipeline.value(byContext), executor: "executor-8", timeout: timeout.value(byDefine)}
	if h != want {
		t.Errorf("%+v, want %+v", h, want)
	}
}

func TestByInputHasThePlaceOfDefine(t *testing.T) {
	executors := allSettings[2]
	for other := level(0); other < levels; other++ {
		at := newStage()
		chosen := executors.value(byDefine)
		at.defined = []mops.FuncOption{mops.ByInput(func(int64) executor.Executor { return at.executors[chosen] })}
		want := chosen
		if other >= byDefine { // of two options of Define, too, the last wins
			want = executors.value(other)
		}
		if got := at.call(t, map[level][]setting{byNew: {allSettings[0]}, other: {allSettings[0], executors}}).executor; got != want {
			t.Errorf("by input and by %v: %q, want %q", other, got, want)
		}
	}
	at := newStage()
	f := mops.Define("precedence/last", func(_ context.Context, n int64) (int64, error) { return n, nil }, private(),
		mops.On(at.executors["executor-1"]), mops.ByInput(func(int64) executor.Executor { return at.executors["executor-2"] }))
	_, ctx := newEnv(t, memoryRoot(t))
	if _, err := f.Call(ctx, 1); err != nil || at.executors["executor-2"].started.Load() != 1 {
		t.Errorf("On, then ByInput: %v", err)
	}
}

func callWith(t *testing.T, s setting, at ...level) how {
	t.Helper()
	set := map[level][]setting{byNew: {allSettings[0]}} // never the user's own root
	for _, l := range at {
		if l != byNew || s.key != "root" {
			set[l] = append(set[l], s)
		}
	}
	return newStage().call(t, set)
}

func newStage() *stage {
	at := &stage{executors: map[string]*tally{}}
	for l := level(0); l < levels; l++ {
		at.executors[fmt.Sprintf("executor-%d", l)] = newTally()
	}
	return at
}

// call makes a call under settings at several levels.
func (at *stage) call(t *testing.T, set map[level][]setting) (h how) {
	t.Helper()
	options := func(l level) (all []mops.Option) {
		for _, s := range set[l] {
			all = append(all, s.option(s.value(l), at))
		}
		return all
	}
	var file strings.Builder
	section := func(header string, l level) {
		fmt.Fprintln(&file, header)
		for _, s := range set[l] {
			fmt.Fprintf(&file, "%s = %q\n", s.key, s.value(l))
		}
	}
	section("", byFile)
	section(`[function."precedence"]`, byEntry)
	section("[function.\"precedence/f\"]\nforce = true", byForce)
	config := filepath.Join(t.TempDir(), "mops.toml")
	if err := os.WriteFile(config, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range set[byEnvironment] {
		variable := "MOPS_" + strings.ToUpper(s.key)
		os.Setenv(variable, s.value(byEnvironment))
		defer os.Unsetenv(variable)
	}

	forNew := []mops.EnvOption{mops.Config(config), mops.CacheDir(t.TempDir())}
	for name, e := range at.executors {
		forNew = append(forNew, mops.Executor(name, e))
	}
	for _, o := range options(byNew) {
		forNew = append(forNew, o)
	}
	env, err := mops.New(t.Context(), forNew...)
	if err != nil {
		t.Fatal(err)
	}
	defer env.Close()

	f := mops.Define("precedence/f", func(ctx context.Context, _ int64) (string, error) {
		if deadline, ok := ctx.Deadline(); ok {
			return fmt.Sprintf("%dh", int(time.Until(deadline).Round(time.Hour).Hours())), nil
		}
		return "", nil
	}, append(at.defined, private(), mops.Join(options(byDefine)...))...).With(options(byWith)...)
	ctx := mops.WithOptions(env.Context(t.Context()), options(byContext)...)
	each := mops.Join(options(byEach)...)
	for r := range f.Each(ctx, slices.Values([]int64{time.Now().UnixNano()}), each) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		h.timeout = r.Out
		h.root, _, _ = strings.Cut(r.Info.URI, "/mops1/")
		h.pipeline, _, _ = strings.Cut(strings.TrimPrefix(r.Info.URI, h.root+"/mops1/"), "/")
	}
	for name, e := range at.executors {
		if e.started.Load() > 0 {
			h.executor += name
		}
	}
	return h
}
