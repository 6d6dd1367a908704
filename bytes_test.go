package mops_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// shout makes a file in memory of another one.
var shout = mops.Define("test/shout", func(ctx context.Context, in mops.Source) (mops.Source, error) {
	text, err := in.ReadAll(ctx)
	return mops.Bytes(bytes.ToUpper(text)), err
})

// Bytes are the same input as a file with them, go to workers, and come back.
func TestBytesGoWhereFilesGo(t *testing.T) {
	for _, text := range []string{"", "quiet"} {
		for _, on := range []mops.EnvOption{mops.On(inproc.New()), mops.On(subprocess.New())} {
			ctx := mopstest.Context(t, mops.Root("file://"+t.TempDir()), mops.CacheDir(t.TempDir()), on)
			for i, in := range []mops.Source{mops.Bytes([]byte(text)), mops.File(file(t, "text", text))} {
				out, info, err := shout.Do(ctx, in)
				if err != nil {
					t.Fatal(err)
				}
				if want := []mops.Outcome{mops.Computed, mops.Hit}[i]; info.Outcome != want {
					t.Errorf("%q, %v: %v, want %v", text, in, info.Outcome, want)
				}
				got, err := out.ReadAll(ctx)
				if want := bytes.ToUpper([]byte(text)); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%q became %q, %v", text, got, err)
				}
			}
		}
	}
}
