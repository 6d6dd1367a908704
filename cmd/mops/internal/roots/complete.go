package roots

import (
	"context"
	"iter"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/engine/config"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// What the shell completes. A store that fails has nothing to offer: whoever presses
// TAB has not asked for anything yet.

// CompleteRoot offers the roots that variables and the config file name.
func CompleteRoot(_ context.Context, a *cli.App, _ []string, _ string) iter.Seq[string] {
	all := []string{config.DefaultRoot}
	if root, err := (opener{App: a}).root(); err == nil {
		all = []string{root}
	}
	if file, err := ConfigFile(a); err == nil {
		for _, level := range append([]config.Entry{{Settings: file.Defaults}}, file.Entries...) {
			if level.Root != nil {
				all = append(all, *level.Root)
			}
		}
	}
	for i, root := range all {
		all[i], _, _ = strings.Cut(root, "?") // where secrets may be
		if parsed, err := url.Parse(all[i]); err == nil && parsed.User != nil {
			parsed.User = nil
			all[i] = parsed.String()
		}
	}
	return slices.Values(all)
}

// CompleteAddress offers what an address goes on with: roots, and below one the
// pipelines, functions and calls; or the three words of calls below the default root.
func CompleteAddress(ctx context.Context, a *cli.App, before []string, begun string) iter.Seq[string] {
	o := opener{a, true}
	if strings.HasPrefix(begun, memokey.Format+"/") || strings.Contains(begun, "/"+memokey.Format+"/") {
		return o.below(ctx, begun)
	}
	return func(yield func(string) bool) {
		if !yield(memokey.Format + "/") {
			return
		}
		for root := range CompleteRoot(ctx, a, before, begun) {
			if !yield(root) || begun != "" && !yield(root+"/"+memokey.Format+"/") {
				return
			}
		}
		if begun == "" || strings.Trim(begun, "abcdefghijklmnopqrstuvwxyz-") != "" {
			return
		}
		store, err := o.openDefault(ctx)
		if err != nil {
			return
		}
		for function := range functions(ctx, store) {
			for words := range calls(ctx, store, function+"/", begun) {
				if !yield(words + "\t" + strings.TrimPrefix(function, memokey.Format+"/")) {
					return
				}
			}
		}
	}
}

// below offers what is one level below the last slash of an address.
func (o opener) below(ctx context.Context, begun string) iter.Seq[string] {
	return func(yield func(string) bool) {
		at := strings.LastIndexByte(begun, '/') + 1
		x, err := o.resolve(ctx, begun[:at])
		if err != nil {
			return
		}
		switch x.Kind {
		case KindRoot, KindGroup:
			prefix := strings.TrimSuffix(x.Path, "/") + "/"
			if x.Kind == KindRoot {
				prefix = memokey.Format + "/"
			}
			for rest, err := range explain.Folders(ctx, x.Store, prefix+begun[at:]) {
				if err != nil || !yield(begun+rest+"/") {
					return
				}
			}
		case KindFunction:
			for words := range calls(ctx, x.Store, x.Path+"/", begun[at:]) {
				if !yield(begun[:at] + words) {
					return
				}
			}
		}
	}
}

// calls yields the words of the calls of a function that begin so. One listing goes
// through their blobs, which is less than one for each call.
func calls(ctx context.Context, store *blob.Store, function, begun string) iter.Seq[string] {
	return func(yield func(string) bool) {
		last := ""
		for info, err := range store.List(ctx, function+begun, "") {
			if err != nil {
				return
			}
			words, _, ok := strings.Cut(strings.TrimPrefix(info.Key, function), ".")
			if ok && words != last && !strings.Contains(words, "/") && !yield(words) {
				return
			}
			last = words
		}
	}
}

// functions yields the paths of the functions in a store, with their versions. It
// costs one listing for each of them.
func functions(ctx context.Context, store *blob.Store) iter.Seq[string] {
	return func(yield func(string) bool) {
		for from, more := "", true; more; {
			more = false
			for info, err := range store.List(ctx, memokey.Format+"/", from) {
				if err != nil {
					return
				}
				name, rest, ok := strings.Cut(info.Key, "@")
				version, _, _ := strings.Cut(rest, "/")
				if from = name + "@" + version; !ok || !yield(from) {
					return
				}
				from, more = from+"0", true // '0' is the next after '/'
				break
			}
		}
	}
}

// ofDefault offers something of the default root.
func ofDefault(of func(ctx context.Context, a *cli.App, store *blob.Store, yield func(string) bool)) cli.Completer {
	return func(ctx context.Context, a *cli.App, _ []string, _ string) iter.Seq[string] {
		return func(yield func(string) bool) {
			if store, err := (opener{a, true}).openDefault(ctx); err == nil {
				of(ctx, a, store, yield)
			}
		}
	}
}

// CompletePipeline offers the pipelines of the default root.
var CompletePipeline = ofDefault(func(ctx context.Context, _ *cli.App, store *blob.Store, yield func(string) bool) {
	for name, err := range explain.Folders(ctx, store, memokey.Format+"/") {
		if err != nil || !yield(name) {
			return
		}
	}
})

// CompleteFunction offers the functions of the default root, without their versions.
var CompleteFunction = ofDefault(func(ctx context.Context, _ *cli.App, store *blob.Store, yield func(string) bool) {
	for function := range functions(ctx, store) {
		_, name, _ := strings.Cut(strings.TrimPrefix(function, memokey.Format+"/"), "/")
		if name, _, _ = strings.Cut(name, "@"); !yield(name) {
			return
		}
	}
})

// CompleteRun offers the runs of programs in the default root, newest first.
var CompleteRun = ofDefault(func(ctx context.Context, a *cli.App, store *blob.Store, yield func(string) bool) {
	entries, err := programs.List(ctx, store)
	if err != nil || len(entries) > 0 && !yield("latest") {
		return
	}
	for _, e := range entries {
		if !yield(e.ID + "\t" + text.Ago(e.Written, a.Now())) {
			return
		}
	}
})

// CompleteRunOfCall offers the runs of the call that was named before.
func CompleteRunOfCall(ctx context.Context, a *cli.App, before []string, _ string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if len(before) == 0 {
			return
		}
		x, err := opener{a, true}.resolve(ctx, before[0])
		if err != nil || x.Kind != KindCall {
			return
		}
		for info, err := range x.Store.List(ctx, x.Path+"/runs/", "") {
			if id, _, _ := strings.Cut(path.Base(info.Key), "."); err != nil || !yield(id) {
				return
			}
		}
	}
}
