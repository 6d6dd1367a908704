package mops_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go"
)

// planRig is a root with the results of 0, 1 and 2, and a plan on it.
type planRig struct {
	*testing.T
	ctx   context.Context // of the plan
	root  string
	twice *mops.Func[int, int]
	ran   atomic.Int64 // computed calls
}

func newPlanRig(t *testing.T) *planRig {
	t.Helper()
	silence(t)
	r := &planRig{T: t}
	registry := private()
	r.twice = mops.Define("plan/twice", func(_ context.Context, n int) (int, error) { r.ran.Add(1); return 2 * n, nil }, registry)
	root := "file://" + t.TempDir()
	env, ctx := newEnv(t, registry, mops.Root(root), mops.CacheDir(t.TempDir()))
	for i := range 3 {
		must(r.twice.Call(ctx, i))
	}
	if err := env.Close(); err != nil { // nothing is written behind it
		t.Fatal(err)
	}
	r.ran.Store(0)
	r.root = strings.TrimPrefix(root, "file://")
	_, r.ctx = newEnv(t, registry, mops.Root(root), mops.CacheDir(t.TempDir()), mops.Plan())
	before := r.stored()
	t.Cleanup(func() {
		if n := r.ran.Load(); n > 0 {
			t.Errorf("%d calls were computed", n)
		}
		if after := r.stored(); !slices.Equal(before, after) {
			t.Errorf("the store has changed from\n%q\nto\n%q", before, after)
		}
	})
	return r
}

func (r *planRig) stored() (all []string) {
	r.Helper()
	err := filepath.WalkDir(r.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		all = append(all, path+info.ModTime().String())
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.Fatal(err)
	}
	return all
}

func (r *planRig) isPlanned(err error) {
	r.Helper()
	if !errors.Is(err, mops.ErrPlanned) {
		r.Errorf("%v, want ErrPlanned", err)
	}
}

func TestPlanAnswersHitsAndComputesNothing(t *testing.T) {
	r := newPlanRig(t)
	if out, info, err := r.twice.Do(r.ctx, 2); out != 4 || info.Outcome != mops.Hit || err != nil {
		t.Errorf("%d, %+v, %v", out, info, err)
	}
	_, err := r.twice.Call(r.ctx, 3)
	r.isPlanned(err)
	if !strings.Contains(err.Error(), "plan/twice") {
		t.Errorf("%v does not say which call it is", err)
	}
	_, err = r.twice.With(mops.Refresh()).Call(r.ctx, 1)
	r.isPlanned(err)
	_, err = r.twice.With(mops.Off()).Call(r.ctx, 1)
	r.isPlanned(err)
	_, err = r.twice.With(mops.ReadOnly()).Call(r.ctx, 4)
	r.isPlanned(err)
	_, err = r.twice.With(mops.KeepErrors()).Call(r.ctx, 5)
	r.isPlanned(err)
	r.isPlanned(r.twice.Inject(r.ctx, 6, 12))
	call, err := r.twice.Start(r.ctx, 7)
	if err != nil {
		t.Fatal(err)
	}
	_, err = call.Wait(r.ctx)
	r.isPlanned(err)
	if _, err := r.twice.With(mops.RequireResults()).Call(r.ctx, 8); !errors.Is(err, mops.ErrNoResult) {
		t.Errorf("%v, want ErrNoResult", err)
	}
}

// A plan sees each input, though the program leaves at the first without a result.
func TestPlanLooksAtAllInputs(t *testing.T) {
	inputs := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	for name, leave := range map[string]func(r *planRig) error{
		"All": func(r *planRig) error { _, err := r.twice.All(r.ctx, inputs, mops.Concurrency(2)); return err },
		"Each": func(r *planRig) error {
			for result := range r.twice.Each(r.ctx, slices.Values(inputs), mops.Concurrency(1)) {
				if result.Err != nil {
					return result.Err
				}
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newPlanRig(t)
			out := standardError(t, func() {
				env, err := mops.New(t.Context(), mops.Root("file://"+r.root), mops.CacheDir(t.TempDir()), mops.Plan(), private())
				if err != nil {
					t.Fatal(err)
				}
				r.ctx = env.Context(t.Context())
				r.isPlanned(leave(r))
				_, err = r.twice.Call(r.ctx, 9) // once more
				r.isPlanned(err)
				if err := env.Close(); err != nil {
					t.Error(err)
				}
			})
			const want = `plan: nothing was computed, and nothing was written
  function      hits  to compute  each takes  in all  CPU-h  memory  known from
  plan/twice@0     4           7 `
			if !strings.HasPrefix(spaces.Replace(out), spaces.Replace(want)) || !strings.Contains(out, "3 runs\n") {
				t.Errorf("%s\nwant\n%s", out, want)
			}
		})
	}
}

var spaces = strings.NewReplacer(" ", "")

// One who leaves the loop at a result has what was wanted.
func TestPlanEndsWithTheLoop(t *testing.T) {
	r := newPlanRig(t)
	taken := 0
	endless := func(yield func(int) bool) {
		for i := 0; yield(i % 3); i++ {
			taken++
		}
	}
	for result := range r.twice.Each(r.ctx, endless, mops.Concurrency(2)) {
		if result.Err != nil {
			t.Error(result.Err)
		}
		break
	}
	if taken > 10 {
		t.Errorf("%d inputs were taken", taken)
	}
}

// standardError is what do writes there.
func standardError(t *testing.T, do func()) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	before := os.Stderr
	os.Stderr = file
	defer func() { os.Stderr = before }()
	do()
	out, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
