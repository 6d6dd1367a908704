package memokey

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/base/words"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Keys and paths are the store format: a difference means that no stored call
// is found again.
func TestGolden(t *testing.T) {
	var lines strings.Builder
	for _, p := range []Parts{
		{Name: "f", Version: DefaultVersion},
		parts,
		{Name: "a/b/c/d/e/f", Version: "V2", In: "in", Out: "out", Input: []byte{0xf6}},
	} {
		fmt.Fprintln(&lines, p.Key(), Path("default", p.Name, p.Version, p.Key()))
	}
	const file = "testdata/golden.txt"
	if *update {
		if err := os.WriteFile(file, []byte(lines.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if lines.String() != string(want) {
		t.Errorf("got\n%swant\n%s", &lines, want)
	}
}

func TestParseIsTheInverse(t *testing.T) {
	key := parts.Key()
	for _, root := range []string{"", "file:///x/y", "file:///", "mem://box", "adls://acct/container/deep/er", "file:///data/mops1", "file:///mops1/mops1", "file:///a%20b"} {
		for _, name := range []string{"f", "forecast/train", "a/b/c/d/e/f", "mops1-x/g"} {
			for _, rest := range []string{"", "result", "runs/2611231412-SkirtBus.log/0001", "out/2611231412-SkirtBus/a@b/mops1/c"} {
				want := Call{Root: strings.TrimSuffix(root, "/"), Pipeline: "Pipe", Name: name, Version: "v.1", Key: key, Rest: rest}
				address := want.URI()
				if rest != "" {
					address += "/" + rest
				}
				got, err := Parse(address)
				if err != nil || got != want {
					t.Errorf("Parse(%s) = %+v, %v, want %+v", address, got, err, want)
				}
				if got, err := Parse(address + "/"); err != nil || got != want {
					t.Errorf("Parse(%s/) = %+v, %v", address, got, err)
				}
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	key := parts.Key()
	folder := words.Three(key[:]) + "." + key.String()
	for address, want := range map[string]string{
		"":                                      "no segment mops1",
		"file:///x/y":                           "no segment mops1",
		"file:///x/mops2/p/f@0/" + folder:       "no segment mops1",
		"file:///x/mops1":                       "ends after mops1",
		"mops1/p":                               "<name>@<version>",
		"mops1/p q/f@0/" + folder:               "invalid pipeline",
		"mops1/p/f/" + folder:                   "<name>@<version>",
		"mops1/p/f@0":                           "that of a function",
		"mops1/p/@0/" + folder:                  "invalid function name",
		"mops1/p/F@0/" + folder:                 "invalid function name",
		"mops1/f@0/" + folder:                   "invalid pipeline",
		"mops1/p/f@/" + folder:                  "invalid version",
		"mops1/p/f@0@1/" + folder:               "invalid version",
		"mops1/p/f@0/" + key.String():           "not a memo key",
		"mops1/p/f@0/a-b-c." + key.String()[1:]: "not a memo key",
		"mops1/p/f@0/acorn-acorn-acorn." + key.String():              "are not those of the hash",
		"mops1/p/f@0/" + strings.ToUpper(folder):                     "not a memo key",
		"mops1/p/a/b/c/d/e/f/g@0/" + folder:                          "7 segments",
		"mops1/p/" + strings.Repeat("a", MaxName+1) + "@0/" + folder: "161 bytes",
	} {
		if got, err := Parse(address); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "<three-words>") {
			t.Errorf("Parse(%s) = %+v, %v, want %q", address, got, err, want)
		}
	}
}

// Everything below the root fits in 512 bytes, and each part of a path in the
// 255 bytes that file systems allow.
func TestLongestPath(t *testing.T) {
	longest := strings.Repeat("w", 7) // a test of the word list holds this
	name := strings.Repeat("n", MaxName)
	path := Path(strings.Repeat("p", MaxPipeline), name, strings.Repeat("v", MaxVersion), Key{})
	path = strings.Replace(path, words.Three(make([]byte, 4)), longest+"-"+longest+"-"+longest, 1)
	path += "/runs/2611231412-" + longest + longest + ".log/0000000001"
	if len(path) > 512 {
		t.Errorf("the longest path takes %d bytes", len(path))
	}
	for segment := range strings.SplitSeq(path, "/") {
		if len(segment) > 255 {
			t.Errorf("%d bytes: %s", len(segment), segment)
		}
	}
}

func FuzzParse(f *testing.F) {
	path := Path("default", "forecast/train", "0", parts.Key())
	for _, address := range []string{path, "file:///x/" + path + "/result", "mem://mops1/" + path + "/out/a", "mops1/mops1/" + path, "/" + path, "//" + path} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		c, err := Parse(address)
		if err != nil {
			return
		}
		again, err := Parse(c.URI() + "/" + c.Rest)
		if err != nil || again != c {
			t.Errorf("Parse(%q) = %+v, and of that %+v, %v", address, c, again, err)
		}
		if !strings.HasPrefix(strings.TrimPrefix(address, "/"), strings.TrimPrefix(c.URI(), "/")) {
			t.Errorf("Parse(%q) is of %q", address, c.URI())
		}
	})
}
