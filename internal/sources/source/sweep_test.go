package source

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/sources/sweep"
)

// An upload that meets with a sweep of the very same content, which is old,
// leaves the content in the store, at whichever moment of the sweep it comes.
func TestUploadBesideASweep(t *testing.T) {
	const old = time.Hour
	for moment := range 5 {
		path, cache := tempFile(t, "content"), t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			store := blob.New("mem://sweep", memblob.New())
			f := newFilesWith(t, Options{CacheDir: cache})
			refs := []*Ref{File(path)}
			if err := f.Resolve(t.Context(), refs); err != nil {
				t.Fatal(err)
			}
			key := must(f.Upload(t.Context(), store, refs, 2*old))(t)[0].At
			time.Sleep(2*old + time.Second)

			uploaded := make(chan error, 1)
			at := func(m int) {
				if m != moment {
					return
				}
				go func() {
					_, err := f.Upload(t.Context(), store, refs, 2*old)
					uploaded <- err
				}()
				synctest.Wait() // it has ended, or waits for the sweep
			}
			at(0)
			turn, end, err := sweep.Turn(t.Context(), store)
			if err != nil {
				t.Fatal(err)
			}
			at(1)
			info, err := store.Stat(turn, key)
			if err != nil {
				t.Fatal(err)
			}
			at(2)
			if time.Since(info.ModTime) > 2*old {
				if err := store.Delete(turn, key); err != nil {
					t.Fatal(err)
				}
			} else if moment > 1 {
				t.Errorf("moment %d: written before it was", moment)
			}
			at(3)
			if err := end(); err != nil {
				t.Fatal(err)
			}
			at(4)
			if err := <-uploaded; err != nil {
				t.Errorf("moment %d: %v", moment, err)
			}
			if _, err := store.Stat(t.Context(), key); err != nil {
				t.Errorf("moment %d: what was uploaded is gone: %v", moment, err)
			}
		})
	}
}

// A sweep that ends between the writing and the look for its mark is noticed,
// whoever wrote.
func TestUploadThatASweepCrosses(t *testing.T) {
	for _, answer := range []error{nil, &driver.Error{Kind: driver.Mismatch}} {
		path, cache := tempFile(t, "content"), t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			bare := blob.New("mem://sweep", memblob.New())
			f := newFilesWith(t, Options{CacheDir: cache})
			refs := []*Ref{File(path)}
			if err := f.Resolve(t.Context(), refs); err != nil {
				t.Fatal(err)
			}
			key := must(f.Upload(t.Context(), bare, refs, 2*time.Hour))(t)[0].At
			time.Sleep(3 * time.Hour)
			turn, end, err := sweep.Turn(t.Context(), bare) // it sees that the blob is old
			if err != nil {
				t.Fatal(err)
			}
			crossed := false
			store := blobtest.Faulty(bare, blobtest.FaultPlan{After: func(op blobtest.Op, at string) error {
				if op != blobtest.OpPut || at != key || crossed {
					return nil
				}
				crossed = true
				if err := errors.Join(bare.Delete(turn, key), end()); err != nil {
					t.Error(err)
				}
				return answer
			}})
			must(f.Upload(t.Context(), store, refs, 2*time.Hour))(t)
			if _, err := bare.Stat(t.Context(), key); err != nil || !crossed {
				t.Errorf("what was uploaded is gone: %v", err)
			}
		})
	}
}
