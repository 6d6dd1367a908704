package rules

import (
	"encoding/json"
	"errors"
	"io"
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
	"cmd/mops": {"blob/*", "cmd/mops/internal/*"},
	"cmd/mops/internal/look": {
		"blob", "cmd/mops/internal/cli", "cmd/mops/internal/roots", "cmd/mops/internal/view", "internal/config", "internal/dynamic",
		"internal/explain", "internal/lease", "internal/memo", "internal/memokey", "internal/record", "internal/runlog", "internal/runs", "internal/summary",
		"internal/text", "internal/words", "internal/worker",
	},
	"cmd/mops/internal/upkeep": {
		"blob", "cmd/mops/internal/cli", "cmd/mops/internal/kube", "cmd/mops/internal/roots", "image", "internal/doctor", "internal/gc",
		"internal/k8sdoctor", "internal/memokey", "internal/progress", "internal/text", "k8s",
	},
	"cmd/mops/internal/kube": {
		"cmd/mops/internal/cli", "cmd/mops/internal/roots", "executor", "internal/kube", "internal/archive", "internal/openfile", "internal/text", "k8s",
	},
	"cmd/mops/internal/view": {
		"blob", "cmd/mops/internal/cli", "cmd/mops/internal/roots", "internal/dynamic", "internal/lease", "internal/memo", "internal/process",
		"internal/record", "internal/text", "internal/words",
	},
	"cmd/mops/internal/roots": {
		"blob", "cmd/mops/internal/cli", "internal/config", "internal/explain", "internal/lease", "internal/memo", "internal/memokey", "internal/words",
	},
	"cmd/mops/internal/cli": {"internal/progress", "internal/text"},

	"examples": {"", "executor", "executor/*", "blob/*", "image", "k8s"},
	"mopstest": {"", "blob/memblob"},
	"": {
		"blob", "executor", "executor/inproc", "executor/subprocess", "blob/fileblob", "blob/memblob",
		"internal/ability", "internal/archive", "internal/config", "internal/errtree", "internal/function", "internal/inherit", "internal/memokey", "internal/orchestrate",
		"internal/progress", "internal/source", "internal/summary", "internal/text", "internal/worker",
	},
	"internal/orchestrate": {
		"blob", "executor", "internal/ability", "internal/config", "internal/errtree", "internal/explain", "internal/function", "internal/lease", "internal/memo",
		"internal/memokey", "internal/progress", "internal/record", "internal/runlog", "internal/runs", "internal/sleep", "internal/slots", "internal/source",
		"internal/worker",
	},
	"internal/worker": {
		"blob", "executor", "executor/subprocess", "internal/config", "internal/errtree", "internal/function", "internal/inherit", "internal/lease", "internal/memo",
		"internal/memokey", "internal/process", "internal/record", "internal/runlog", "internal/runs", "internal/slots", "internal/source",
	},
	"internal/explain":   {"blob", "internal/dynamic", "internal/memo", "internal/memokey", "internal/record", "internal/schema", "internal/text", "internal/words"},
	"internal/dynamic":   {"internal/text"},
	"internal/progress":  {"internal/text", "internal/words"},
	"internal/runs":      {"internal/words"},
	"internal/function":  {"internal/codec", "internal/errtree", "internal/memokey", "internal/record", "internal/schema", "internal/source"},
	"internal/codec":     {"internal/schema"},
	"internal/memo":      {"blob", "internal/memokey", "internal/record", "internal/source"},
	"internal/lease":     {"blob", "blob/driver", "internal/process", "internal/record", "internal/runs", "internal/sleep"},
	"internal/record":    {"blob", "internal/runs"},
	"internal/runlog":    {"blob"},
	"internal/doctor":    {"blob", "blob/blobtest", "blob/driver", "internal/progress", "internal/text"},
	"internal/ability":   {"executor"},
	"internal/k8sdoctor": {"executor", "internal/doctor", "internal/kube", "k8s"},
	"internal/gc": {
		"blob", "blob/driver", "internal/explain", "internal/lease", "internal/memo", "internal/memokey", "internal/process", "internal/progress",
		"internal/record", "internal/runs", "internal/sleep", "internal/source", "internal/sweep",
	},
	"internal/source":       {"blob", "internal/filehash", "internal/localcache", "internal/openfile", "internal/sweep"},
	"internal/filehash":     {"internal/openfile"},
	"internal/localcache":   {"internal/openfile", "internal/sleep"},
	"internal/sweep":        {"blob", "internal/sleep"},
	"internal/summary":      {"internal/openfile", "internal/progress", "internal/record", "internal/text"},
	"internal/config":       {"internal/memokey", "internal/openfile"},
	"internal/archive":      {"internal/openfile"},
	"internal/memokey":      {"internal/words"},
	"image":                 {"internal/openfile"},
	"executor/inproc":       {"executor"},
	"executor/subprocess":   {"executor", "internal/inherit", "internal/process"},
	"executor/executortest": {"executor"},
	"k8s":                   {"executor", "internal/kube", "internal/sleep"},
	"internal/kube":         {"executor"},
	"blob":                  {"blob/driver", "internal/errtree", "internal/localcache", "internal/sleep"},
	"blob/fileblob":         {"blob", "blob/driver", "internal/openfile"},
	"blob/memblob":          {"blob", "blob/driver"},
	"blob/azureblob":        {"blob", "blob/driver", "blob/internal/cloud"},
	"blob/s3blob":           {"blob", "blob/driver", "blob/internal/cloud"},
	"blob/gcsblob":          {"blob", "blob/driver", "blob/internal/cloud"},
	"blob/internal/cloud":   {"blob", "blob/driver"},
	"blob/blobtest":         {"blob", "blob/driver"},
	"internal/blobcount":    {"blob", "blob/driver"},
	"internal/emulator":     {"internal/faultproxy"},
	"internal/faultproxy":   {"internal/sleep"},

	// Module test.
	"test/benchmark":           {"*"},
	"test/cluster":             {"image", "internal/faultproxy", "internal/process", "test/toolcache"},
	"test/cluster/cmd/cluster": {"internal/process", "test/cluster"},
	"test/emulator":            {"internal/emulator", "test/toolcache"},
	"test/enginetest":          {"*"},
	"test/k8stest":             {"*"},
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
		listedAll = append(list(t, "../..", "./..."), list(t, "../../test", "./...")...)
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
	return golist(t, "../..", "-export", "-deps", "-json=ImportPath,Name,Export", "./...")
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
	for _, dep := range list(t, "../..", ".")[0].Deps {
		first, _, _ := strings.Cut(dep, "/")
		if !strings.Contains(first, ".") {
			continue // the standard library
		}
		if !slices.ContainsFunc(allowed, func(m string) bool { return dep == m || strings.HasPrefix(dep, m+"/") }) {
			t.Errorf("the root package pulls in %s", dep)
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
