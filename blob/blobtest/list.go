package blobtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
)

var listChecks = []Check{
	{"List", "Blobs are listed in byte order of their keys, by prefix and from startAt on.", checkList},
	{"ListInfo", "A list describes the newest content of each blob.", checkListInfo},
	{"ListBreak", "A list may be left early, and taken again.", checkListBreak},
	{"ListNothing", "Where nothing is, a list is empty and no error.", checkListNothing},
}

// oddOrder are keys, below a prefix, whose order is not that of a walk through
// folders. None lies under another: a file system could not hold both.
var oddOrder = []string{
	"a!#", "a!/x", "a-b#", "a-b/c", "a.b", "a/b#", "a/b-c", "a/b.c", "a/b0", "a/z/1", "a/z/2", "a0", "aa#", "aa/b", "b%/c", "b~", "b~0", "ä/ö", "ä0",
}

func checkList(ctx context.Context, s *blob.Store, prefix string) error {
	var all []string
	for _, key := range oddOrder {
		all = append(all, prefix+"/"+key)
	}
	for _, key := range slices.Backward(all) {
		if _, err := put(ctx, s, key, "old", blob.PutOptions{}); err != nil {
			return err
		}
		if _, err := put(ctx, s, key, key, blob.PutOptions{}); err != nil {
			return err
		}
	}
	slices.Sort(all)
	prefixes := []string{prefix + "/", prefix, prefix[:len(prefix)-1], prefix + "/a", prefix + "/a/", prefix + "/a/b", prefix + "/a/b-", prefix + "/a/z/", prefix + "/b~",
		prefix + "/b%", prefix + "/ä", prefix + "/x", prefix + "/a/b#/", prefix + "/a!#/x"}
	starts := []string{"", prefix + "/a", prefix + "/a-", prefix + "/a/", prefix + "/a/b", prefix + "/a/b0", prefix + "/a/z", prefix + "/a/z/1", prefix + "/a/z/1x", prefix + "/b", prefix + "/zzz", "\xff"}
	starts = append(starts, all...)
	for _, prefix := range prefixes {
		for _, start := range starts {
			var want []string
			for _, key := range all {
				if strings.HasPrefix(key, prefix) && key >= start {
					want = append(want, key)
				}
			}
			got, err := list(ctx, s, prefix, start)
			if err != nil {
				return err
			}
			if !slices.Equal(got, want) {
				return fmt.Errorf("with prefix %q from %q on there are listed %q\nand should be %q", prefix, start, got, want)
			}
		}
	}
	return nil
}

func checkListInfo(ctx context.Context, s *blob.Store, prefix string) error {
	for i := range 5 {
		for n := range i + 1 {
			if _, err := put(ctx, s, fmt.Sprint(prefix, "/", i), strings.Repeat("x", n), blob.PutOptions{}); err != nil {
				return err
			}
		}
	}
	listed := 0
	for info, err := range s.List(ctx, prefix+"/", "") {
		if err != nil {
			return err
		}
		listed++
		stat, err := s.Stat(ctx, info.Key)
		if err != nil {
			return err
		}
		if err := sameInfo("List", info, "Stat", stat); err != nil {
			return err
		}
	}
	if listed != 5 {
		return fmt.Errorf("%d blobs are listed, and there are 5", listed)
	}
	return nil
}

func checkListBreak(ctx context.Context, s *blob.Store, prefix string) error {
	for i := range 5 {
		if _, err := put(ctx, s, fmt.Sprint(prefix, "/", i), "x", blob.PutOptions{}); err != nil {
			return err
		}
	}
	seq := s.List(ctx, prefix+"/", "")
	for range 2 {
		n := 0
		for _, err := range seq {
			if err != nil {
				return err
			}
			if n++; n == 3 {
				break
			}
		}
		if n != 3 {
			return fmt.Errorf("only %d of 5 blobs are listed", n)
		}
	}
	return nil
}

func checkListNothing(ctx context.Context, s *blob.Store, prefix string) error {
	var errs []error
	for _, p := range []string{prefix + "/", prefix + "/a/b", "../", "/", prefix + "//", prefix + "/../"} {
		keys, err := list(ctx, s, p, "")
		if err == nil && len(keys) > 0 {
			err = fmt.Errorf("under %q, where nothing is, there is listed %q", p, keys)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
