package roots

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
)

// Kind is what an address is of.
type Kind int

// The kinds.
const (
	KindRoot     Kind = iota
	KindGroup         // a pipeline, or the first segments of functions' names
	KindFunction      // name@version
	KindCall
	KindRecord  // anything below a call
	KindBlob    // of content that calls share
	KindSession // of a process
)

// BlobsFolder has the content that calls share.
const BlobsFolder = "mops1-blobs"

const sessionsFolder = "mops1-sessions"

// Address is a place in a root that is open.
type Address struct {
	Kind  Kind
	Store *blob.Store
	Path  string       // below the root; "" for the root
	Call  memokey.Call // of a call or a record
}

// Of is the address of a call.
func Of(store *blob.Store, call memokey.Call) Address {
	call.Rest = ""
	return Address{Kind: KindCall, Store: store, Path: call.Path(), Call: call}
}

// URI is the address in full.
func (x Address) URI() string {
	if x.Path == "" {
		return x.Store.Root()
	}
	return x.Store.URI(x.Path)
}

// Place is where the records of the call lie.
func (x Address) Place() memo.Place {
	return memo.Place{Store: x.Store, Path: x.Call.Path(), Key: x.Call.Key}
}

var threeWords = regexp.MustCompile(`^[a-z]+-[a-z]+-[a-z]+(\.[0-9a-f]*)?$`)

// Resolve opens the root of an address and says what it is of. Whether there is
// anything is not looked at, but for addresses that are cut short.
func Resolve(ctx context.Context, a *cli.App, text string) (Address, error) {
	return opener{App: a}.resolve(ctx, text)
}

func (o opener) resolve(ctx context.Context, text string) (Address, error) {
	segments := strings.SplitN(text, "/", 2)
	switch {
	case text == "":
		return Address{}, cli.Usagef("the address is empty")
	case strings.Contains(text, "://"), strings.HasPrefix(text, "file:"), strings.HasPrefix(text, "mem:"):
		return o.resolveURI(ctx, text)
	case isFolder(segments[0]), threeWords.MatchString(text):
		store, err := o.openDefault(ctx)
		switch {
		case err != nil:
			return Address{}, err
		case isFolder(segments[0]):
			return below(ctx, store, text)
		}
		return byWords(ctx, store, text)
	case strings.HasPrefix(text, "~/"), filepath.IsAbs(text), strings.HasPrefix(text, "."), exists(text):
		if !strings.HasPrefix(text, "~") {
			absolute, err := filepath.Abs(text)
			if err != nil {
				return Address{}, err
			}
			text = absolute
		}
		return o.resolveURI(ctx, "file://"+escaped(filepath.ToSlash(text)))
	}
	return Address{}, cli.Usagef("%q is no address: write a URI, a path, or the three words of a call", text)
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
	return segment == memokey.Format || segment == BlobsFolder || segment == sessionsFolder
}

// resolveURI finds out where the root ends. A root may itself lie below a folder
// of one of our names; no name of ours below the root is one.
func (o opener) resolveURI(ctx context.Context, uri string) (Address, error) {
	uri, query := withoutQuery(uri)
	uri = strings.TrimRight(uri, "/")
	root, at := uri, ""
	if call, err := memokey.Parse(uri); err == nil {
		root, at = call.Root, strings.TrimPrefix(uri[len(call.Root):], "/")
	} else {
		segments := strings.Split(uri, "/")
		for i := len(segments) - 1; i > 0; i-- {
			if isFolder(segments[i]) {
				root, at = strings.Join(segments[:i], "/"), strings.Join(segments[i:], "/")
				break
			}
		}
	}
	store, err := o.open(ctx, root+query)
	if err != nil {
		return Address{}, err
	}
	return below(ctx, store, at)
}

// withoutQuery cuts off the parameters of the root, which may stand at the end of
// an Address, as in a URL, or behind the root itself.
func withoutQuery(uri string) (bare, query string) {
	bare, query, found := strings.Cut(uri, "?")
	if !found || slices.ContainsFunc(strings.Split(query, "/"), isFolder) {
		return uri, ""
	}
	return bare, "?" + query
}

// below says what a path below a root is of.
func below(ctx context.Context, store *blob.Store, path string) (Address, error) {
	path = strings.TrimRight(path, "/")
	x := Address{Store: store, Path: path}
	first, rest, _ := strings.Cut(path, "/")
	if path != "" {
		if err := blob.ValidKey(path); err != nil {
			return x, cli.Usage(err)
		}
	}
	switch {
	case path == "":
		return x, nil
	case first == BlobsFolder:
		x.Kind = KindBlob
		return x, nil
	case first+"/" == lease.SessionPrefix:
		x.Kind = KindSession
		return x, nil
	case rest == "":
		x.Path = "" // mops1 alone
		return x, nil
	}
	segments := strings.Split(path, "/")
	at := 0
	for at < len(segments) && !strings.Contains(segments[at], "@") {
		at++
	}
	switch {
	case at == len(segments):
		x.Kind = KindGroup
		return x, nil
	case at == len(segments)-1:
		x.Kind = KindFunction
		return x, nil
	}
	call, err := memokey.Parse(path)
	if err != nil {
		return completed(ctx, store, strings.Join(segments[:at+2], "/"), segments[at+2:], err)
	}
	x.Kind, x.Call = KindCall, call
	if call.Rest != "" {
		x.Kind = KindRecord
	}
	return x, nil
}

// completed finds the one call whose path begins with what was given, such as
// function and words without the hash.
func completed(ctx context.Context, store *blob.Store, start string, rest []string, why error) (Address, error) {
	found, err := named(ctx, store, start, path.Base(start))
	switch {
	case err != nil:
		return Address{}, err
	case len(found) == 0:
		return Address{}, NotFound(ctx, store, start, why)
	case len(found) > 1:
		return Address{}, cli.Usagef("several calls begin with %s, among them %s and %s: write more of the address",
			store.URI(start), words.Of(found[0].Path()), words.Of(found[1].Path()))
	}
	return below(ctx, store, strings.Join(append([]string{found[0].Path()}, rest...), "/"))
}

// byWords finds the call that people call by its words.
func byWords(ctx context.Context, store *blob.Store, called string) (Address, error) {
	found, err := named(ctx, store, memokey.Format+"/", called)
	switch {
	case err != nil:
		return Address{}, err
	case len(found) == 0:
		return Address{}, cli.NotFoundf("no call below %s is called %s; mops ls shows what is there, and MOPS_ROOT says which root is meant", store.Root(), called)
	case len(found) == 1:
		return Of(store, found[0]), nil
	}
	message := "several calls are called " + called + ": write the address of one"
	for _, call := range found {
		message += "\n" + store.URI(call.Path())
	}
	return Address{}, cli.Usagef("%s", message)
}

// named finds the calls below a prefix whose own part of the path begins with called;
// five are enough.
func named(ctx context.Context, store *blob.Store, prefix, called string) (found []memokey.Call, err error) {
	for info, err := range store.List(ctx, prefix, "") {
		if err != nil {
			return nil, err
		}
		if !strings.Contains(info.Key, "/"+called) {
			continue
		}
		call, err := memokey.Parse(info.Key)
		if err != nil || !strings.HasPrefix(path.Base(call.Path()), called) || len(found) > 0 && found[len(found)-1].Path() == call.Path() {
			continue
		}
		if found = append(found, call); len(found) == 5 {
			break
		}
	}
	return found, nil
}
