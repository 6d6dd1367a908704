package blobtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
)

var listChecks = []Check{
	{"List", "Blobs are listed in byte order of their keys, by p.prefix and from startAt on.", running(checkList)},
	{"ListInfo", "A list describes the newest content of each blob.", running(checkListInfo)},
	{"ListBreak", "A list may be left early, and taken again.", running(checkListBreak)},
	{"ListNothing", "Where nothing is, a list is empty and no error.", running(checkListNothing)},
}

// oddOrder are keys, below a prefix, whose order is not that of a walk through
// folders. None lies under another: a file system could not hold both.
var oddOrder = []string{
	"a!#", "a!/x", "a-b#", "a-b/c", "a.b", "a/b#", "a/b-c", "a/b.c", "a/b0", "a/z/1", "a/z/2", "a0", "aa#", "aa/b", "b%/c", "b~", "b~0", "ä/ö", "ä0",
}

func checkList(p *probe) {
	var all []string
	for _, key := range oddOrder {
		all = append(all, p.prefix+"/"+key)
	}
	for _, key := range slices.Backward(all) {
		p.put(key, "old", blob.PutOptions{})
		p.put(key, key, blob.PutOptions{})
	}
	slices.Sort(all)
	prefixes := []string{p.prefix + "/", p.prefix, p.prefix[:len(p.prefix)-1], p.prefix + "/a", p.prefix + "/a/", p.prefix + "/a/b", p.prefix + "/a/b-", p.prefix + "/a/z/", p.prefix + "/b~",
		p.prefix + "/b%", p.prefix + "/ä", p.prefix + "/x", p.prefix + "/a/b#/", p.prefix + "/a!#/x"}
	starts := []string{"", p.prefix + "/a", p.prefix + "/a-", p.prefix + "/a/", p.prefix + "/a/b", p.prefix + "/a/b0", p.prefix + "/a/z", p.prefix + "/a/z/1", p.prefix + "/a/z/1x", p.prefix + "/b", p.prefix + "/zzz", "\xff"}
	starts = append(starts, all...)
	for _, prefix := range prefixes {
		for _, start := range starts {
			var want []string
			for _, key := range all {
				if strings.HasPrefix(key, prefix) && key >= start {
					want = append(want, key)
				}
			}
			got, err := list(p.ctx, p.store, prefix, start)
			p.must(err)
			if !slices.Equal(got, want) {
				p.failf("with prefix %q from %q on there are listed %q\nand should be %q", prefix, start, got, want)
			}
		}
	}
}

func checkListInfo(p *probe) {
	for i := range 5 {
		for n := range i + 1 {
			p.put(fmt.Sprint(p.prefix, "/", i), strings.Repeat("x", n), blob.PutOptions{})
		}
	}
	listed := 0
	for info, err := range p.store.List(p.ctx, p.prefix+"/", "") {
		p.must(err)
		listed++
		stat := p.stat(info.Key)
		p.same("List", info, "Stat", stat)
	}
	if listed != 5 {
		p.failf("%d blobs are listed, and there are 5", listed)
	}
}

func checkListBreak(p *probe) {
	for i := range 5 {
		p.put(fmt.Sprint(p.prefix, "/", i), "x", blob.PutOptions{})
	}
	seq := p.store.List(p.ctx, p.prefix+"/", "")
	for range 2 {
		n := 0
		for _, err := range seq {
			p.must(err)
			if n++; n == 3 {
				break
			}
		}
		if n != 3 {
			p.failf("only %d of 5 blobs are listed", n)
		}
	}
}

func checkListNothing(p *probe) {
	var errs []error
	for _, prefix := range []string{p.prefix + "/", p.prefix + "/a/b", "../", "/", p.prefix + "//", p.prefix + "/../"} {
		keys, err := list(p.ctx, p.store, prefix, "")
		if err == nil && len(keys) > 0 {
			err = fmt.Errorf("under %q, where nothing is, there is listed %q", prefix, keys)
		}
		errs = append(errs, err)
	}
	p.must(errors.Join(errs...))
}
