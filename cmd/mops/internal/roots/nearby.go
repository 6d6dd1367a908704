package roots

import (
	"context"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
)

// NotFound says how much of a path there is, and what there is beside the first
// segment that is missing. Why, which may be nil, is what is wrong with the path
// itself.
func NotFound(ctx context.Context, store *blob.Store, missing string, why error) error {
	message := "there is nothing at " + store.URI(missing)
	if why != nil {
		message += "\n" + why.Error()
	}
	above := ""
	for segment := range strings.SplitSeq(missing, "/") {
		if !There(ctx, store, above+segment) {
			beside, more := siblings(ctx, store, above, segment)
			switch {
			case above == "":
				return cli.NotFoundf("%s\n%s holds nothing of mops: is it the root that the program uses?", message, store.Root())
			case len(beside) == 0:
				return cli.NotFoundf("%s\nand nothing at all below %s", message, store.URI(strings.TrimSuffix(above, "/")))
			case more:
				beside = append(beside, "…")
			}
			return cli.NotFoundf("%s\nbelow %s there is: %s", message, store.URI(strings.TrimSuffix(above, "/")), strings.Join(beside, "  "))
		}
		above += segment + "/"
	}
	return cli.NotFoundf("%s", message)
}

// There reports whether a path is a blob, or a folder with any in it.
func There(ctx context.Context, store *blob.Store, at string) bool {
	for info, err := range store.List(ctx, at, at) {
		if err != nil {
			return false
		}
		if info.Key == at {
			return true
		}
		break
	}
	for _, err := range store.List(ctx, at+"/", "") {
		return err == nil
	}
	return false
}

// siblings are the names below a folder that look most like one that is not there.
func siblings(ctx context.Context, store *blob.Store, above, segment string) (names []string, more bool) {
	const most, looked = 6, 200
	var others []string
	seen := 0
	add := func(name string) {
		if like(name, segment) {
			names = append(names, name)
		} else {
			others = append(others, name)
		}
	}
	for name, err := range explain.Folders(ctx, store, above) {
		if seen++; err != nil || seen > looked {
			more = true
			break
		}
		add(name)
	}
	if strings.Count(above, "/") > 2 { // a call's own records are no folders
		for info, err := range store.List(ctx, above, "") {
			name := strings.TrimPrefix(info.Key, above)
			if seen++; err != nil || seen > looked {
				break
			}
			if !strings.Contains(name, "/") {
				add(name)
			}
		}
	}
	all := append(names, others...)
	return all[:min(len(all), most)], more || len(all) > most
}

// like reports whether two names may be taken for one another.
func like(a, b string) bool {
	wordsA, hashA, _ := strings.Cut(a, ".")
	wordsB, hashB, _ := strings.Cut(b, ".")
	nameA, _, _ := strings.Cut(a, "@")
	nameB, _, _ := strings.Cut(b, "@")
	const enough = 8
	return nameA == nameB || wordsA == wordsB ||
		len(hashA) >= enough && len(hashB) >= enough && hashA[:enough] == hashB[:enough]
}

// ResolveCall is for commands that are about a call: a record of it will do. The
// call is there.
func ResolveCall(ctx context.Context, a *cli.App, text string) (Address, error) {
	x, err := Resolve(ctx, a, text)
	if err != nil {
		return x, err
	}
	switch x.Kind {
	case KindCall, KindRecord:
	default:
		return x, cli.Usagef("%s is not the address of a call, which ends with three words and a hash; mops ls %s shows what is there", x.URI(), text)
	}
	x = Of(x.Store, x.Call)
	if !There(ctx, x.Store, x.Path) {
		return x, NotFound(ctx, x.Store, x.Path, nil)
	}
	return x, nil
}
