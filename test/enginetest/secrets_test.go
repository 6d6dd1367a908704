//go:build linux || darwin

package enginetest_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// secretVariables are where the emulators have their credentials from.
var secretVariables = []string{"AWS_SECRET_ACCESS_KEY", "AZURE_STORAGE_KEY"}

// What a program knows to get into a store stands neither in what it and its
// workers print nor in what they leave behind: records, logs, caches, summaries.
func TestNoSecretIsLeftBehind(t *testing.T) {
	onServers(t, func(t *testing.T, server *emulator.Server) {
		place := t.TempDir()
		jobs := Jobs{Jobs: []Job{
			{Work: Work{Name: "a", Dir: place, Print: 100, Write: 100}, On: "sub"},
			{Work: Work{Name: "b", Dir: place, End: "fail"}, On: "sub"},
			{Work: Work{Name: "c", Dir: place, End: "kill"}, On: "sub"},
			{Work: Work{Name: "d", Dir: place}},
			{Work: Work{Name: "e", Dir: place, Print: 100}, On: "far"},
		}}
		root := server.Root(t)
		p := enginetest.Start(t, place, "jobs", jobs, "MOPS_ROOT="+root)
		p.Wait(patience)
		gone := enginetest.Start(t, place, "jobs", jobs, "MOPS_ROOT="+strings.Replace(root, "://", "://no-such-", 1))
		gone.Wait(patience)
		enginetest.Eventually(t, patience, "nobody writes any more", func() bool { return len(enginetest.Processes(place)) == 0 })
		for _, variable := range secretVariables {
			secret := os.Getenv(variable)
			if secret == "" {
				continue
			}
			look := func(where, text string) {
				if strings.Contains(text, secret) {
					t.Errorf("the value of %s stands in %s", variable, where)
				}
			}
			for _, p := range []*enginetest.Program{p, gone} {
				look("what is printed", p.Stdout.String()+p.Stderr.String())
			}
			if err := os.RemoveAll(filepath.Join(place, "cache", "programs")); err != nil { // the test itself has that of an emulator
				t.Fatal(err)
			}
			checkFolder(t, place, look)
			checkRoot(t, root, look)
		}
	})
}

// Whoever writes a secret into a root, though there is no place for one, is
// told so, and does not find it again anywhere.
func TestSecretInRoot(t *testing.T) {
	const secret = "S3CR3T/planted+here="
	for _, root := range []string{
		"s3://AKIAEXAMPLE:" + secret + "@bucket/root",
		"s3://bucket/root?secret=" + secret,
		"adls://account/container/root?sv=2024-11-04&sig=" + secret,
		"adls://account:" + secret + "@container/root",
		"gs://bucket/root?access_token=" + secret,
	} {
		t.Run(strings.SplitN(root, ":", 2)[0], func(t *testing.T) {
			t.Parallel()
			place := t.TempDir()
			jobs := Jobs{Jobs: []Job{{Work: Work{Name: "a", Dir: place}}, {Work: Work{Name: "b", Dir: place}, On: "sub"}}}
			p := enginetest.Start(t, place, "jobs", jobs, "MOPS_ROOT="+root)
			p.Wait(patience)
			for _, r := range reports(t, p) {
				if r.Kind != "blob invalid" || !strings.Contains(r.Error, "credentials come from the environment") {
					t.Errorf("got %+v", r)
				}
			}
			look := func(where, text string) {
				if strings.Contains(text, "S3CR3T") || strings.Contains(text, "planted") {
					t.Errorf("the secret stands in %s: %s", where, text)
				}
			}
			look("what is printed", p.Stdout.String()+p.Stderr.String())
			checkFolder(t, place, look)
		})
	}
}

func checkFolder(t *testing.T, dir string, look func(where, text string)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		look(path, string(data))
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func checkRoot(t *testing.T, root string, look func(where, text string)) {
	t.Helper()
	ctx := context.Background()
	store, err := blob.Open(ctx, root)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for info, err := range store.List(ctx, "", "") {
		if err != nil {
			t.Fatal(err)
		}
		data, _, err := store.ReadAll(ctx, info.Key, nil)
		if err != nil {
			t.Fatal(err)
		}
		look(info.Key, string(bytes.ToValidUTF8(data, nil)))
		n++
	}
	if n < 10 {
		t.Errorf("only %d blobs were looked at", n)
	}
}
