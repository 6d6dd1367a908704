package gc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor/inproc"
	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/engine/orchestrate"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
)

// file is a source as the root package has them.
type file struct{ ref *source.Ref }

var null = []byte{0xf6}

func (f file) MarshalCBOR() ([]byte, error) {
	if f.ref == nil {
		return null, nil
	}
	return f.ref.MarshalCBOR()
}

func (f *file) UnmarshalCBOR(data []byte) (err error) {
	if !bytes.Equal(data, null) {
		f.ref, err = source.Decode(data)
	}
	return err
}

type in struct {
	Name string
	File file
}

// program makes calls as programs do, one after the other. Each has caches of
// its own, so it reads everything from the store.
type program struct {
	root   string
	ttl    time.Duration
	engine *orchestrate.Engine
	files  *source.Files
	all    *function.Registry
	gate   chan struct{} // for which wait waits
	made   []string      // paths of calls that were computed here
}

// newProgram starts a program that is told of a TTL.
func newProgram(t testing.TB, root string, ttl time.Duration) *program {
	t.Helper()
	files, err := source.New(source.Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	p := &program{root: root, ttl: ttl, files: files, gate: make(chan struct{}), all: function.NewRegistry(function.Sources{
		Type: reflect.TypeFor[file](), Ref: func(_ context.Context, v reflect.Value, _ *function.Codec) (*source.Ref, error) {
			return v.Interface().(file).ref, nil
		},
		Shared: func(reflect.Type) reflect.Type { return nil },
	})}
	p.engine = orchestrate.New(orchestrate.Options{Files: files, Logger: slog.New(slog.DiscardHandler)})
	define(t, p, "upper", func(ctx context.Context, in in) (string, error) { return in.Name + " in capitals", nil })
	define(t, p, "wait", func(ctx context.Context, in in) (string, error) {
		select {
		case <-p.gate:
			return "waited", nil
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	})
	define(t, p, "copy", func(ctx context.Context, in in) (file, error) {
		dir, data, err := outDirAnd(ctx, in)
		if err != nil {
			return file{}, err
		}
		path := filepath.Join(dir, "copy")
		return file{source.File(path)}, os.WriteFile(path, append(data, " copied"...), 0o666)
	})
	define(t, p, "pack", func(ctx context.Context, in in) (file, error) {
		dir, data, err := outDirAnd(ctx, in)
		if err != nil {
			return file{}, err
		}
		err = errors.Join(os.WriteFile(filepath.Join(dir, "a"), data, 0o666), os.WriteFile(filepath.Join(dir, "b"), append(data, " packed"...), 0o666))
		return file{source.Dir(dir)}, err
	})
	define(t, p, "read", func(ctx context.Context, in in) (string, error) {
		path, err := in.File.ref.Path(ctx)
		if err != nil {
			return "", err
		}
		if in.Name == "folder" {
			path = filepath.Join(path, "b")
		}
		data, err := os.ReadFile(path)
		return string(data), err
	})
	return p
}

func outDirAnd(ctx context.Context, in in) (dir string, data []byte, err error) {
	path, err := in.File.ref.Path(ctx)
	if err != nil {
		return "", nil, err
	}
	if data, err = os.ReadFile(path); err != nil {
		return "", nil, err
	}
	dir, err = worker.FromContext(ctx).OutDir()
	return dir, data, err
}

func define[Out any](t testing.TB, p *program, name string, fn func(context.Context, in) (Out, error)) {
	t.Helper()
	f, err := p.all.Add(name, "1", "here", reflect.TypeFor[in](), reflect.TypeFor[Out]())
	if err == nil {
		err = f.Implement(func(ctx context.Context, v any) (any, error) {
			out, err := fn(ctx, *v.(*in))
			return &out, err
		})
	}
	if err == nil {
		err = f.Prepare()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (p *program) close() error { return errors.Join(p.engine.Close(), p.files.Close()) }

// do makes a call.
func do[Out any](ctx context.Context, p *program, name string, v in, refresh bool) (out Out, outcome orchestrate.Outcome, err error) {
	f, _ := p.all.Lookup(name)
	c := orchestrate.Call{Function: f, Settings: &orchestrate.Settings{Terms: worker.Terms{Pipeline: "p", StorageTTL: p.ttl}, Root: p.root, Executor: inproc.New(), Refresh: refresh}}
	if v.File.ref != nil {
		c.Sources = []*source.Ref{v.File.ref}
	}
	if err := p.files.Resolve(ctx, c.Sources); err != nil {
		return out, outcome, err
	}
	if c.Input, err = f.EncodeIn(ctx, &v); err != nil {
		return out, outcome, err
	}
	if outcome, err = p.engine.Do(ctx, c, orchestrate.LeaveSettled); err != nil {
		return out, outcome, fmt.Errorf("%s: %w", name, err)
	}
	if outcome.How == orchestrate.Computed {
		p.made = append(p.made, outcome.Place.Path)
	}
	if err := f.DecodeOut(ctx, outcome.Result.Body, &out); err != nil {
		return out, outcome, err
	}
	refs, err := f.OutRefs(ctx, &out)
	if err == nil {
		err = outcome.Result.BindResult(outcome.Place, p.files, refs)
	}
	return out, outcome, err
}
