package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
)

func expectKind(what string, err error, kind blob.Kind) error {
	if err == nil {
		return fmt.Errorf("%s succeeded, and should fail as %q", what, kind)
	}
	if !blob.Is(err, kind) {
		return fmt.Errorf("%s failed as %q, and should as %q: %w", what, blob.KindOf(err), kind, err)
	}
	return nil
}

// expectContent fails unless the blob holds data, whichever way it is read.
func expectContent(ctx context.Context, s *blob.Store, key, data string) error {
	got, info, err := s.ReadAll(ctx, key, nil)
	if err != nil {
		return err
	}
	stat, err := s.Stat(ctx, key)
	if err != nil {
		return err
	}
	streamed, fromGet, err := read(ctx, s, key, blob.Range{})
	if err != nil {
		return err
	}
	switch {
	case string(got) != data:
		return fmt.Errorf("%s holds %s by ReadAll, and should hold %s", key, short(string(got)), short(data))
	case streamed != data:
		return fmt.Errorf("%s holds %s by Get, and should hold %s", key, short(streamed), short(data))
	}
	if err := sameInfo("ReadAll", info, "Stat", stat); err != nil {
		return err
	}
	return sameInfo("Get", fromGet, "Stat", stat)
}

// sameInfo fails if two descriptions of one state of a blob differ.
func sameInfo(how1 string, a blob.Info, how2 string, b blob.Info) error {
	switch {
	case a.Key != b.Key, a.Size != b.Size, a.Version != b.Version, !a.ModTime.Equal(b.ModTime):
		return fmt.Errorf("%s and %s describe one blob differently: %+v and %+v", how1, how2, a, b)
	case a.Version == "":
		return fmt.Errorf("%s gives %s no version", how1, a.Key)
	case a.ModTime.IsZero():
		return fmt.Errorf("%s gives %s no time", how1, a.Key)
	}
	return nil
}

// expectAbsent fails unless the blob is absent for every way to ask.
func expectAbsent(ctx context.Context, s *blob.Store, key string) error {
	_, _, errRead := s.ReadAll(ctx, key, nil)
	_, _, errGet := read(ctx, s, key, blob.Range{})
	_, errStat := s.Stat(ctx, key)
	errs := []error{
		expectKind("reading "+key, errRead, blob.NotFound),
		expectKind("getting "+key, errGet, blob.NotFound),
		expectKind("asking for "+key, errStat, blob.NotFound),
	}
	if s.IsLocal() {
		_, _, err := s.LocalPath(ctx, key)
		errs = append(errs, expectKind("the path of "+key, err, blob.NotFound))
	}
	listed, err := list(ctx, s, key, "")
	if err == nil && len(listed) > 0 && listed[0] == key {
		err = fmt.Errorf("%s is listed, and is not there", key)
	}
	return errors.Join(append(errs, err)...)
}

func read(ctx context.Context, s *blob.Store, key string, part blob.Range) (string, blob.Info, error) {
	body, info, err := s.Get(ctx, key, part)
	if err != nil {
		return "", info, err
	}
	var data bytes.Buffer
	_, err = data.ReadFrom(body)
	return data.String(), info, errors.Join(err, body.Close())
}

func put(ctx context.Context, s *blob.Store, key, data string, opts blob.PutOptions) (blob.Info, error) {
	return s.PutBytes(ctx, key, []byte(data), opts)
}

// list returns the keys as they are listed.
func list(ctx context.Context, s *blob.Store, prefix, startAt string) (keys []string, err error) {
	for info, err := range s.List(ctx, prefix, startAt) {
		if err != nil {
			return keys, err
		}
		keys = append(keys, info.Key)
	}
	return keys, nil
}

func short(data string) string {
	if len(data) > 40 {
		return fmt.Sprintf("%q… (%d bytes)", data[:40], len(data))
	}
	return fmt.Sprintf("%q", data)
}

// unlike is n bytes without much repetition.
func unlike(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%x,", i*i)
	}
	return b.String()[:n]
}
