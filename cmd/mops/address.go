package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/lease"
	"github.com/TrilliantHealth/mops-go/internal/memo"
	"github.com/TrilliantHealth/mops-go/internal/memokey"
	"github.com/TrilliantHealth/mops-go/internal/words"
)

// what an address is of.
type what int

const (
	aRoot     what = iota
	aGroup         // a pipeline, or the first segments of functions' names
	aFunction      // name@version
	aCall
	aRecord  // anything below a call
	aBlob    // of content that calls share
	aSession // of a process
)

const (
	blobsFolder    = "mops1-blobs"
	sessionsFolder = "mops1-sessions"
)

// address is a place in a root that is open.
type address struct {
	what  what
	store *blob.Store
	path  string       // below the root; "" for the root
	call  memokey.Call // of a call or a record
}

func (x address) uri() string {
	if x.path == "" {
		return x.store.Root()
	}
	return x.store.URI(x.path)
}

func (x address) place() memo.Place {
	return memo.Place{Store: x.store, Path: x.call.Path(), Key: x.call.Key}
}

var threeWords = regexp.MustCompile(`^[a-z]+-[a-z]+-[a-z]+(\.[0-9a-f]*)?$`)

// resolve opens the root of an address and says what it is of. Whether there is
// anything is not looked at, but for addresses that are cut short.
func (a *app) resolve(ctx context.Context, text string) (address, error) {
	segments := strings.SplitN(text, "/", 2)
	switch {
	case text == "":
		return address{}, usagef("the address is empty")
	case strings.Contains(text, "://"), strings.HasPrefix(text, "file:"), strings.HasPrefix(text, "mem:"):
		return a.resolveURI(ctx, text)
	case isFolder(segments[0]):
		store, err := a.openDefault(ctx)
		if err != nil {
			return address{}, err
		}
		return below(ctx, store, text)
	case threeWords.MatchString(text):
		store, err := a.openDefault(ctx)
		if err != nil {
			return address{}, err
		}
		return byWords(ctx, store, text)
	case strings.HasPrefix(text, "~/"), filepath.IsAbs(text), strings.HasPrefix(text, "."), exists(text):
		if !strings.HasPrefix(text, "~") {
			absolute, err := filepath.Abs(text)
			if err != nil {
				return address{}, err
			}
			text = absolute
		}
		return a.resolveURI(ctx, "file://"+escaped(filepath.ToSlash(text)))
	}
	return address{}, usagef("%q is no address: write a URI, a path, or the three words of a call", text)
}

// escaped makes of a path what its file URI has.
func escaped(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23").Replace(path)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func isFolder(segment string) bool {
	return segment == memokey.Format || segment == blobsFolder || segment == sessionsFolder
}

// resolveURI finds out where the root ends. A root may itself lie below a folder
// of one of our names; no name of ours below the root is one.
func (a *app) resolveURI(ctx context.Context, uri string) (address, error) {
	uri, query := withoutQuery(uri)
	uri = strings.TrimRight(uri, "/")
	root, path := uri, ""
	if call, err := memokey.Parse(uri); err == nil {
		root, path = call.Root, strings.TrimPrefix(uri[len(call.Root):], "/")
	} else {
		segments := strings.Split(uri, "/")
		for i := len(segments) - 1; i > 0; i-- {
			if isFolder(segments[i]) {
				root, path = strings.Join(segments[:i], "/"), strings.Join(segments[i:], "/")
				break
			}
		}
	}
	store, err := a.open(ctx, root+query)
	if err != nil {
		return address{}, err
	}
	return below(ctx, store, path)
}

// withoutQuery cuts off the parameters of the root, which may stand at the end of
// an address, as in a URL, or behind the root itself.
func withoutQuery(uri string) (bare, query string) {
	bare, query, found := strings.Cut(uri, "?")
	if !found || slices.ContainsFunc(strings.Split(query, "/"), isFolder) {
		return uri, ""
	}
	return bare, "?" + query
}

// below says what a path below a root is of.
func below(ctx context.Context, store *blob.Store, path string) (address, error) {
	path = strings.TrimRight(path, "/")
	x := address{store: store, path: path}
	first, rest, _ := strings.Cut(path, "/")
	if path != "" {
		if err := blob.ValidKey(path); err != nil {
			return x, usageError{err.Error()}
		}
	}
	switch {
	case path == "":
		return x, nil
	case first == blobsFolder:
		x.what = aBlob
		return x, nil
	case first+"/" == lease.SessionPrefix:
		x.what = aSession
		return x, nil
	case rest == "":
		x.path = "" // mops1 alone
		return x, nil
	}
	segments := strings.Split(path, "/")
	at := 0
	for at < len(segments) && !strings.Contains(segments[at], "@") {
		at++
	}
	switch {
	case at == len(segments):
		x.what = aGroup
		return x, nil
	case at == len(segments)-1:
		x.what = aFunction
		return x, nil
	}
	call, err := memokey.Parse(path)
	if err != nil {
		return completed(ctx, store, strings.Join(segments[:at+2], "/"), segments[at+2:], err)
	}
	x.what, x.call = aCall, call
	if call.Rest != "" {
		x.what = aRecord
	}
	return x, nil
}

// completed finds the one call whose path begins with what was given, such as
// function and words without the hash.
func completed(ctx context.Context, store *blob.Store, start string, rest []string, why error) (address, error) {
	found := ""
	for info, err := range store.List(ctx, start, "") {
		if err != nil {
			return address{}, err
		}
		call, err := memokey.Parse(info.Key)
		switch {
		case err != nil:
			continue
		case found != "" && call.Path() != found:
			return address{}, usagef("several calls begin with %s, among them %s and %s: write more of the address",
				store.URI(start), words.Of(found), words.Of(call.Path()))
		}
		found = call.Path()
	}
	if found == "" {
		return address{}, notFound(ctx, store, start, why)
	}
	return below(ctx, store, strings.Join(append([]string{found}, rest...), "/"))
}

// byWords finds the call that people call by its words.
func byWords(ctx context.Context, store *blob.Store, called string) (address, error) {
	var found []memokey.Call
	for info, err := range store.List(ctx, memokey.Format+"/", "") {
		if err != nil {
			return address{}, err
		}
		if !strings.Contains(info.Key, "/"+called) {
			continue
		}
		call, err := memokey.Parse(info.Key)
		if err != nil || !strings.HasPrefix(filepath.Base(call.Path()), called) {
			continue
		}
		if len(found) == 0 || found[len(found)-1].Path() != call.Path() {
			call.Rest = ""
			found = append(found, call)
		}
	}
	switch len(found) {
	case 0:
		return address{}, notFoundf("no call below %s is called %s; mops ls shows what is there, and MOPS_ROOT says which root is meant", store.Root(), called)
	case 1:
		return address{what: aCall, store: store, path: found[0].Path(), call: found[0]}, nil
	}
	message := "several calls are called " + called + ": write the address of one"
	for _, call := range found[:min(len(found), 5)] {
		message += "\n" + store.URI(call.Path())
	}
	return address{}, usageError{message}
}
