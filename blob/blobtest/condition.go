package blobtest

import (
	"context"
	"errors"
	"fmt"

	"github.com/TrilliantHealth/mops-go/blob"
)

var conditionChecks = []Check{
	{"PutIfAbsent", "A put with IfAbsent writes only where there is no blob.", checkPutIfAbsent},
	{"Swap", "A put with IfVersion writes only over that version.", checkSwap},
	{"SwapOften", "A version that is long out of date stays so.", checkSwapOften},
	{"Reborn", "A version of a deleted blob is none of the blob that took its place.", checkReborn},
	{"BothConditions", "IfAbsent together with IfVersion makes no sense.", checkBothConditions},
}

func checkPutIfAbsent(ctx context.Context, s *blob.Store, prefix string) error {
	key := prefix + "/folder/blob"
	if _, err := put(ctx, s, key, "first", blob.PutOptions{IfAbsent: true}); err != nil {
		return err
	}
	for _, data := range []string{"second", "first", ""} {
		_, err := put(ctx, s, key, data, blob.PutOptions{IfAbsent: true})
		if err := expectKind("a put over a blob", err, blob.Exists); err != nil {
			return err
		}
	}
	if err := expectContent(ctx, s, key, "first"); err != nil {
		return err
	}
	if err := s.Delete(ctx, key); err != nil {
		return err
	}
	if _, err := put(ctx, s, key, "again", blob.PutOptions{IfAbsent: true}); err != nil {
		return err
	}
	return expectContent(ctx, s, key, "again")
}

func checkSwap(ctx context.Context, s *blob.Store, prefix string) error {
	key := prefix + "/folder/blob"
	v1, err := put(ctx, s, key, "one", blob.PutOptions{IfAbsent: true})
	if err != nil {
		return err
	}
	v2, err := put(ctx, s, key, "two", blob.PutOptions{IfVersion: v1.Version})
	if err != nil {
		return err
	}
	_, err = put(ctx, s, key, "wrong", blob.PutOptions{IfVersion: v1.Version})
	if err := expectKind("a put over an old version", err, blob.Mismatch); err != nil {
		return err
	}
	if err := expectContent(ctx, s, key, "two"); err != nil {
		return err
	}
	if _, err := put(ctx, s, key, "three", blob.PutOptions{}); err != nil {
		return err
	}
	_, err = put(ctx, s, key, "wrong", blob.PutOptions{IfVersion: v2.Version})
	if err := expectKind("a put over a version that was overwritten", err, blob.Mismatch); err != nil {
		return err
	}
	_, err = put(ctx, s, prefix+"/absent", "wrong", blob.PutOptions{IfVersion: v2.Version})
	if err := expectKind("a put over a version of a blob that is not there", err, blob.Mismatch); err != nil {
		return err
	}
	return errors.Join(expectContent(ctx, s, key, "three"), expectAbsent(ctx, s, prefix+"/absent"))
}

func checkSwapOften(ctx context.Context, s *blob.Store, prefix string) error {
	key := prefix + "/blob"
	info, err := put(ctx, s, key, "0", blob.PutOptions{IfAbsent: true})
	if err != nil {
		return err
	}
	var old []blob.Version
	for i := range 40 {
		old = append(old, info.Version)
		if info, err = put(ctx, s, key, fmt.Sprint(i+1), blob.PutOptions{IfVersion: info.Version}); err != nil {
			return err
		}
	}
	for i, version := range old {
		_, err := put(ctx, s, key, "wrong", blob.PutOptions{IfVersion: version})
		if err := expectKind(fmt.Sprintf("a put over version %d of 40", i), err, blob.Mismatch); err != nil {
			return err
		}
	}
	return expectContent(ctx, s, key, "40")
}

func checkReborn(ctx context.Context, s *blob.Store, prefix string) error {
	key := prefix + "/blob"
	var old []blob.Version
	for life := range 10 {
		info, err := put(ctx, s, key, fmt.Sprint("life ", life), blob.PutOptions{IfAbsent: true})
		if err != nil {
			return err
		}
		for _, version := range old {
			_, err := put(ctx, s, key, "wrong", blob.PutOptions{IfVersion: version})
			if err := expectKind("a put over a version from before the blob was deleted", err, blob.Mismatch); err != nil {
				return err
			}
		}
		old = append(old, info.Version)
		if info, err = put(ctx, s, key, "swapped", blob.PutOptions{IfVersion: info.Version}); err != nil {
			return err
		}
		old = append(old, info.Version)
		if err := s.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func checkBothConditions(ctx context.Context, s *blob.Store, prefix string) error {
	key := prefix + "/blob"
	info, err := put(ctx, s, key, "x", blob.PutOptions{})
	if err != nil {
		return err
	}
	_, err = put(ctx, s, key, "y", blob.PutOptions{IfAbsent: true, IfVersion: info.Version})
	return errors.Join(expectKind("a put with both conditions", err, blob.Invalid), expectContent(ctx, s, key, "x"))
}
