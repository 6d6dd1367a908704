package rules

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/TrilliantHealth/mops-go"

// arrows are what each room may import of the others, tests left out. A room
// that is not listed may import nothing of mops. "*" is everything.
//
// From top to bottom: the tool, the root package, those who run calls, what
// they know of a call, what lies in the store, the store, the leaves.
var arrows = map[string][]string{
	"cmd/mops": {"blob/*", "cmd/mops/internal/*", "internal/base/interrupt", "internal/base/progress"},
	"cmd/mops/internal/look": {
		"blob", "cmd/mops/internal/cli", "cmd/mops/internal/module", "cmd/mops/internal/query", "cmd/mops/internal/roots", "cmd/mops/internal/view", "internal/engine/config",
		"internal/records/explain", "internal/records/lease", "internal/records/lineage", "internal/records/memo", "internal/records/memokey", "internal/records/programs", "internal/records/record",
		"internal/records/runlog", "internal/records/runs", "internal/values/dynamic",
		"internal/base/text", "internal/base/words", "internal/engine/worker", "internal/trust/code",
	},
	"cmd/mops/internal/query": {"internal/base/text", "internal/base/words", "internal/records/record", "internal/values/dynamic", "internal/values/schema"},
	"cmd/mops/internal/page": {
		"blob", "cmd/mops/internal/cli", "cmd/mops/internal/roots", "cmd/mops/internal/view", "internal/values/dynamic",
		"internal/records/explain", "internal/records/memo", "internal/records/memokey", "internal/records/programs", "internal/records/record", "internal/records/runlog", "internal/records/usage",
		"internal/base/text", "internal/base/words",
	},
	"cmd/mops/internal/module": {"internal/base/text", "internal/trust/code", "internal/trust/fingerprint"},
	"cmd/mops/internal/upkeep": {
		"blob", "cmd/mops/internal/cli", "cmd/mops/internal/kube", "cmd/mops/internal/roots", "image", "internal/upkeep/doctor", "internal/upkeep/gc",
		"internal/cluster/k8sdoctor", "internal/records/memokey", "internal/base/progress", "internal/base/text", "k8s",
	},
	"cmd/mops/internal/kube": {
		"cmd/mops/internal/cli", "cmd/mops/internal/roots", "executor", "internal/cluster/kube", "internal/cluster/archive", "internal/base/openfile", "internal/base/text", "k8s",
	},
	"cmd/mops/internal/view": {
		"blob", "cmd/mops/internal/cli", "cmd/mops/internal/roots", "internal/values/dynamic", "internal/records/lease", "internal/records/memo", "internal/base/process",
		"internal/records/record", "internal/base/text", "internal/base/words", "internal/trust/code", "internal/values/schema",
	},
	"cmd/mops/internal/roots": {
		"blob", "cmd/mops/internal/cli", "internal/engine/config", "internal/records/explain", "internal/records/lease", "internal/records/memo", "internal/records/memokey", "internal/base/text", "internal/base/words",
		"internal/records/programs",
	},
	"cmd/mops/internal/cli": {"internal/base/errtree", "internal/base/interrupt", "internal/base/progress", "internal/base/text", "internal/base/words"},
	"cmd/mops-lock":         {"internal/base/interrupt", "internal/base/text", "internal/trust/fingerprint", "internal/trust/lockfile", "internal/trust/snapshot"},

	"examples": {"", "command", "executor", "executor/*", "blob/*", "image", "k8s"},
	"examples/mldemo": {
		"", "executor", "executor/subprocess", "blob/azureblob", "blob/s3blob", "image", "k8s", "examples/mldemo/internal/cuda", "examples/mldemo/internal/cuda/dl",
	},
	"command":  {""},
	"mopstest": {"", "blob/memblob", "executor", "internal/engine/function", "internal/trust/lockfile", "internal/trust/snapshot"},
	"": {
		"blob", "executor", "executor/inproc", "executor/subprocess", "blob/fileblob", "blob/memblob",
		"internal/engine/ability", "internal/engine/agent", "internal/cluster/archive", "internal/engine/config", "internal/base/errtree", "internal/engine/function", "internal/base/inherit", "internal/base/interrupt", "internal/records/memokey", "internal/engine/orchestrate",
		"internal/base/progress", "internal/sources/source", "internal/engine/journal", "internal/base/event", "internal/records/programs", "internal/base/text", "internal/engine/worker",
		"internal/records/record", "internal/trust/code", "internal/trust/edits",
	},
	"internal/trust/edits":       {"internal/base/process", "internal/trust/code", "internal/trust/snapshot"},
	"internal/trust/lockfile":    {"internal/base/text", "internal/trust/code", "internal/trust/fingerprint", "internal/trust/purity", "internal/trust/snapshot"},
	"internal/trust/fingerprint": {"internal/trust/code"},
	"internal/trust/purity":      {"internal/trust/code", "internal/trust/fingerprint"},
	"mopspure":                   {"internal/trust/fingerprint", "internal/trust/purity"},
	"mopspure/golangci":          {"mopspure"},
	"cmd/mops-pure":              {"mopspure"},
	"internal/trust/snapshot":    {"internal/trust/code"},
	"internal/engine/orchestrate": {
		"blob", "executor", "executor/inproc", "internal/engine/ability", "internal/engine/config", "internal/base/errtree", "internal/records/explain", "internal/engine/function", "internal/records/history", "internal/records/lease", "internal/records/memo",
		"internal/records/memokey", "internal/base/event", "internal/records/record", "internal/records/runlog", "internal/records/runs", "internal/base/sleep", "internal/engine/slots", "internal/sources/source",
		"internal/engine/pack", "internal/engine/worker", "internal/records/packs", "internal/trust/code",
	},
	"internal/engine/journal": {"blob", "executor", "internal/base/event", "internal/records/programs"},
	"internal/engine/pack":    {"blob", "executor", "internal/base/sleep", "internal/records/lease", "internal/records/packs"},
	"internal/engine/worker": {
		"blob", "executor", "executor/subprocess", "internal/engine/config", "internal/base/errtree", "internal/engine/function", "internal/base/far", "internal/base/inherit", "internal/records/lease", "internal/records/memo",
		"internal/records/memokey", "internal/base/process", "internal/records/record", "internal/records/runlog", "internal/records/runs", "internal/engine/slots", "internal/sources/source",
		"internal/engine/pack", "internal/records/packs", "internal/records/usage", "internal/trust/code",
	},
	"internal/records/explain":   {"blob", "internal/values/dynamic", "internal/records/memo", "internal/records/memokey", "internal/records/record", "internal/values/schema", "internal/base/text", "internal/base/words"},
	"internal/records/lineage":   {"blob", "internal/base/text", "internal/records/explain", "internal/records/memo", "internal/records/memokey", "internal/records/record", "internal/records/runs"},
	"internal/records/history":   {"blob", "executor", "internal/records/memo", "internal/records/memokey", "internal/records/record", "internal/records/runs"},
	"internal/values/dynamic":    {"internal/base/text", "internal/values/schema"},
	"internal/base/errtree":      {"internal/base/text"},
	"internal/base/event":        {"executor"},
	"internal/base/progress":     {"executor", "internal/base/event", "internal/base/text", "internal/base/words"},
	"internal/records/runs":      {"executor", "internal/base/words"},
	"internal/engine/function":   {"internal/values/codec", "internal/base/errtree", "internal/records/memokey", "internal/records/record", "internal/values/schema", "internal/sources/source", "internal/trust/code"},
	"internal/values/codec":      {"internal/values/schema"},
	"internal/records/memo":      {"blob", "internal/records/memokey", "internal/records/record", "internal/sources/source", "internal/trust/code"},
	"internal/records/lease":     {"blob", "blob/driver", "internal/base/process", "internal/records/record", "internal/records/runs", "internal/base/sleep"},
	"internal/records/record":    {"blob", "executor", "internal/records/runs"},
	"internal/records/runlog":    {"blob"},
	"internal/records/usage":     {"blob", "internal/base/process"},
	"internal/records/programs":  {"blob", "executor", "internal/base/process", "internal/records/record", "internal/base/text", "internal/base/words"},
	"internal/records/packs":     {"blob", "internal/records/record", "internal/records/runs"},
	"internal/upkeep/doctor":     {"blob", "blob/blobtest", "blob/driver", "internal/base/progress", "internal/base/text"},
	"internal/engine/ability":    {"executor"},
	"internal/cluster/k8sdoctor": {"executor", "internal/upkeep/doctor", "internal/cluster/kube", "k8s"},
	"internal/upkeep/gc": {
		"blob", "blob/driver", "internal/records/explain", "internal/records/lease", "internal/records/memo", "internal/records/memokey", "internal/base/process", "internal/base/progress",
		"internal/records/packs", "internal/records/programs", "internal/records/record", "internal/records/runs", "internal/base/sleep", "internal/sources/source", "internal/sources/sweep",
	},
	"internal/sources/source":     {"blob", "internal/base/sparse", "internal/sources/filehash", "internal/base/localcache", "internal/base/openfile", "internal/sources/sweep"},
	"internal/sources/filehash":   {"internal/base/openfile"},
	"internal/base/localcache":    {"internal/base/diskfull", "internal/base/openfile", "internal/base/sleep"},
	"internal/sources/sweep":      {"blob", "internal/base/sleep"},
	"internal/engine/config":      {"internal/records/memokey", "internal/records/programs", "internal/base/openfile", "internal/base/text", "internal/trust/code", "internal/base/words"},
	"internal/cluster/archive":    {"internal/base/openfile"},
	"internal/records/memokey":    {"internal/base/words"},
	"image":                       {"internal/base/openfile"},
	"executor/inproc":             {"executor"},
	"executor/subprocess":         {"executor", "internal/base/inherit", "internal/base/process"},
	"executor/remote":             {"executor", "internal/base/far"},
	"internal/base/far":           {"executor"},
	"internal/engine/agent":       {"executor", "executor/subprocess", "internal/base/far", "internal/base/sleep"},
	"executor/executortest":       {"executor", "internal/base/inherit", "internal/base/sleep"},
	"internal/base/inherit":       {"internal/base/process"},
	"k8s":                         {"executor", "internal/cluster/kube", "internal/base/sleep"},
	"internal/cluster/kube":       {"executor"},
	"blob":                        {"blob/driver", "internal/base/errtree", "internal/base/localcache", "internal/base/sleep"},
	"blob/fileblob":               {"blob", "blob/driver", "internal/base/diskfull", "internal/base/sparse", "internal/base/openfile"},
	"blob/memblob":                {"blob", "blob/driver"},
	"blob/azureblob":              {"blob", "blob/driver", "blob/internal/cloud"},
	"blob/s3blob":                 {"blob", "blob/driver", "blob/internal/cloud"},
	"blob/gcsblob":                {"blob", "blob/driver", "blob/internal/cloud"},
	"blob/internal/cloud":         {"blob", "blob/driver"},
	"blob/blobtest":               {"blob", "blob/driver"},
	"internal/testkit/blobcount":  {"blob", "blob/driver"},
	"internal/testkit/eventlog":   {"internal/base/event"},
	"internal/testkit/emulator":   {"internal/testkit/faultproxy"},
	"internal/testkit/faultproxy": {"internal/base/sleep"},
	"internal/testkit/groups":     {"executor", "executor/subprocess"},
	"internal/engine/packtest":    {"blob", "executor", "executor/subprocess", "internal/base/inherit", "internal/engine/pack", "internal/records/packs"},

	// Module test.
	"test/benchmark":           {"*"},
	"test/cluster":             {"image", "internal/cluster/kube", "internal/testkit/faultproxy", "internal/base/process", "internal/base/sleep", "test/debian", "test/emulator/s3", "test/toolcache"},
	"test/cluster/cmd/cluster": {"internal/base/process", "test/cluster"},
	"test/delve":               {"test/toolcache"},
	"test/emulator":            {"internal/testkit/emulator", "test/emulator/s3", "test/toolcache"},
	"test/enginetest":          {"*"},
	"test/k8stest":             {"*"},
	"test/machines":            {"internal/base/sleep", "internal/testkit/syncbuf"},
	"test/pages":               {"*"},
	"test/terminal":            {"", "executor/inproc", "test/debian"},
}

// floors are the folders of internal, and what the rooms of each may import of
// the others. What lies deeper knows nothing of what lies above it.
var floors = map[string][]string{
	"engine":  {"records", "sources", "values", "trust", "base"},
	"upkeep":  {"records", "sources", "base"},
	"cluster": {"upkeep", "base"},
	"records": {"sources", "values", "trust", "base"},
	"sources": {"base"},
	"values":  {"base"},
	"trust":   {"base"},
	"base":    {},
	"testkit": {"base"},
	"frozen":  {}, // a room alone: its path is a part of the keys that it holds us to
}

type listed struct {
	ImportPath, Name, Doc string
	Imports, Deps         []string
	GoFiles               []string
	Dir                   string
	Export                string // see compiled
}

// everything is what the go command says of all packages, of both modules.
func everything(t *testing.T) []listed {
	t.Helper()
	if listedAll == nil {
		listedAll = append(list(t, "../../..", "./..."), list(t, "../../../test", "./...")...)
	}
	return listedAll
}

var listedAll []listed // once for all tests, which run one after the other

// list is what the go command says of packages of the module in a folder.
func list(t *testing.T, folder string, patterns ...string) []listed {
	t.Helper()
	return golist(t, folder, append([]string{"-json=ImportPath,Doc,Imports,Deps,GoFiles,Dir"}, patterns...)...)
}

// compiled is what the go command says of all packages that those of the main
// module need, with the files that hold their types.
func compiled(t *testing.T) []listed {
	t.Helper()
	return golist(t, "../../..", "-export", "-deps", "-json=ImportPath,Name,Export", "./...")
}

func golist(t *testing.T, folder string, arguments ...string) []listed {
	t.Helper()
	command := exec.Command("go", append([]string{"list"}, arguments...)...)
	command.Dir = folder
	out, err := command.Output()
	if err != nil {
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list: %v\n%s", err, e.Stderr)
		}
		t.Fatal(err)
	}
	var all []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// room is a package's path from the top of the repository.
func room(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, module)
	return strings.TrimPrefix(rest, "/"), ok
}

func TestArrows(t *testing.T) {
	for _, p := range everything(t) {
		from, _ := room(p.ImportPath)
		allowed, ok := arrows[from]
		if !ok && strings.HasPrefix(from, "examples/") {
			allowed = arrows["examples"]
		}
		for _, imported := range p.Imports {
			to, ours := room(imported)
			if ours && !permits(allowed, to) {
				t.Errorf("%q imports %q: that arrow is not in the plan of the house", from, to)
			}
		}
	}
}

func TestFloors(t *testing.T) {
	for _, p := range everything(t) {
		path, _ := room(p.ImportPath)
		from, inside := floor(path)
		allowed, known := floors[from]
		if inside && !known {
			t.Errorf("%q lies on no floor of internal", path)
		}
		for _, imported := range p.Imports {
			path, _ := room(imported)
			if to, ours := floor(path); inside && ours && to != from && !slices.Contains(allowed, to) {
				t.Errorf("%q imports %q: floor %s knows nothing of floor %s", p.ImportPath, imported, from, to)
			}
		}
	}
}

// floor is the floor that a room of internal lies on.
func floor(room string) (string, bool) {
	rest, ok := strings.CutPrefix(room, "internal/")
	folder, _, _ := strings.Cut(rest, "/")
	return folder, ok
}

func permits(allowed []string, to string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool {
		folder, all := strings.CutSuffix(a, "/*")
		return a == "*" || a == to || all && strings.HasPrefix(to, folder+"/")
	})
}

// A program pays for what it imports: no cloud SDK and no client-go comes along
// with the root package, and few other modules.
func TestRootPackageIsLight(t *testing.T) {
	allowed := []string{
		module, "github.com/fxamacker/cbor/v2", "github.com/x448/float16", "github.com/pelletier/go-toml/v2",
		"golang.org/x/sys", "golang.org/x/term", "golang.org/x/sync",
	}
	for _, dep := range list(t, "../../..", ".")[0].Deps {
		first, _, _ := strings.Cut(dep, "/")
		if !strings.Contains(first, ".") {
			continue // the standard library
		}
		if !slices.ContainsFunc(allowed, func(m string) bool { return dep == m || strings.HasPrefix(dep, m+"/") }) {
			t.Errorf("the root package pulls in %s", dep)
		}
	}
}

// The language of conditions and command lines are a matter of the tool: no program
// links what reads them.
func TestOnlyTheToolLinksItsLibraries(t *testing.T) {
	for _, p := range everything(t) {
		from, _ := room(p.ImportPath)
		for _, library := range []string{"github.com/expr-lang/expr", "github.com/spf13/cobra"} {
			links := slices.ContainsFunc(p.Deps, func(dep string) bool { return strings.HasPrefix(dep, library) })
			if links && from != "cmd/mops" && !strings.HasPrefix(from, "cmd/mops/") {
				t.Errorf("%q links %s, which is for the tool alone", from, library)
			}
		}
	}
}

// OpenTelemetry is in module otelmops, and no package of this module uses that or
// fetches the SDK.
func TestNoOpenTelemetry(t *testing.T) {
	for _, p := range everything(t) {
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, "go.opentelemetry.io/") || strings.HasPrefix(imported, module+"/otelmops") {
				t.Errorf("%s imports %s: that belongs into module otelmops", p.ImportPath, imported)
			}
		}
	}
	text, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, heavy := range []string{"go.opentelemetry.io/otel/sdk ", "go.opentelemetry.io/otel/exporters", module + "/otelmops"} {
		if strings.Contains(string(text), heavy) {
			t.Errorf("go.mod requires %s", heavy)
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, p := range everything(t) {
		if len(p.GoFiles) > 0 && len(p.Doc) < 30 {
			t.Errorf("%s has no doc comment that says its job and where it stands: %q", p.ImportPath, p.Doc)
		}
	}
}
