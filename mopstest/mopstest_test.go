package mopstest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

func count(runs *int) *mops.Func[string, int] {
	return mops.Define("count", func(_ context.Context, text string) (int, error) {
		*runs++
		return len(text), nil
	}, mops.In(mops.NewRegistry()))
}

func TestEachTestHasAStoreOfItsOwn(t *testing.T) {
	runs := 0
	f := count(&runs)
	for range 2 {
		t.Run("a test", func(t *testing.T) {
			ctx := mopstest.Context(t)
			for range 3 {
				if n, err := f.Call(ctx, "word"); err != nil || n != 4 {
					t.Errorf("%d, %v", n, err)
				}
			}
		})
	}
	if runs != 2 {
		t.Errorf("%d runs in two tests", runs)
	}
}

func TestWhatIsAroundHasNoSayAndOptionsDo(t *testing.T) {
	t.Setenv("MOPS_PIPELINE", "around")
	t.Setenv("MOPS_OFF", "1")
	t.Chdir(t.TempDir())
	if err := os.WriteFile("mops.toml", []byte(`pipeline = "around"`), 0o600); err != nil {
		t.Fatal(err)
	}
	runs := 0
	_, info, err := count(&runs).Do(mopstest.Context(t), "word")
	if err != nil || !strings.HasPrefix(info.URI, "mem://") || !strings.Contains(info.URI, "/mops1/default/") {
		t.Errorf("%+v, %v", info, err)
	}
	root := "file://" + t.TempDir()
	_, info, err = count(&runs).Do(mopstest.Context(t, mops.Root(root), mops.Pipeline("mine")), "word")
	if err != nil || !strings.HasPrefix(info.URI, root+"/mops1/mine/") {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestNothingGoesOnAfterTheTest(t *testing.T) {
	var ctx context.Context
	begun, ended := make(chan struct{}), false
	f := mops.Define("endless", func(ctx context.Context, _ int) (int, error) {
		close(begun)
		<-ctx.Done()
		ended = true
		return 0, ctx.Err()
	}, mops.In(mops.NewRegistry()))
	t.Run("a test", func(t *testing.T) {
		ctx = mopstest.Context(t)
		if _, err := f.Start(ctx, 1); err != nil {
			t.Fatal(err)
		}
		<-begun
	})
	if _, err := f.Call(context.WithoutCancel(ctx), 1); !errors.Is(err, mops.ErrClosed) {
		t.Errorf("after the test: %v", err)
	}
	if !ended {
		t.Error("the function still runs after the test")
	}
}

// failing is a test that notes how it failed.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, arguments ...any) {
	f.said = fmt.Sprintf(format, arguments...)
	panic(f)
}

func TestAnEnvironmentThatCannotBeMadeFailsTheTest(t *testing.T) {
	broken := mops.In(mops.NewRegistry())
	mops.Define("f", func(context.Context, []fmt.Stringer) (int, error) { return 0, nil }, broken)
	f := &failing{TB: t}
	func() {
		defer func() { recover() }()
		mopstest.Context(f, broken)
	}()
	if !strings.Contains(f.said, "mopstest: ") || !strings.Contains(f.said, "RegisterType") {
		t.Errorf("it said %q", f.said)
	}
}
