package blobtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
)

var basicChecks = []Check{
	{"ReadBack", "What was put is what is read, and every operation describes it alike.", checkReadBack},
	{"Empty", "A blob may be empty.", checkEmpty},
	{"Absent", "A blob that is not there is reported as such; deleting it is no error.", checkAbsent},
	{"Overwrite", "A put without conditions replaces what was there.", checkOverwrite},
	{"Delete", "A deleted blob is gone, with all that was ever written over it.", checkDelete},
	{"OddKeys", "Every valid key names a blob of its own.", checkOddKeys},
	{"InvalidKeys", "A key that climbs out, or is not clean, is refused.", checkInvalidKeys},
	{"Errors", "An error names the operation and the blob.", checkErrors},
	{"Cancelled", "A context that has ended ends every operation, and nothing is written.", checkCancelled},
	{"Clock", "The clock, if there is one, is the one that dates the blobs.", checkClock},
	{"Hash", "The hash that is told of a blob, if one is, is that of its newest content.", checkHash},
	{"ReadUpTo", "Of a blob that is larger than was asked for nothing is read, and it is described.", checkReadUpTo},
	{"LocalPath", "The local path, if there is one, is that of the newest content.", checkLocalPath},
}

func checkReadBack(ctx context.Context, s *blob.Store, prefix string) error {
	key := prefix + "/folder/blob"
	info, err := put(ctx, s, key, "content", blob.PutOptions{Durable: true})
	if err != nil {
		return err
	}
	if info.Key != key || info.Size != 7 {
		return fmt.Errorf("the put of 7 bytes to %s returned %+v", key, info)
	}
	stat, err := s.Stat(ctx, key)
	if err != nil {
		return err
	}
	for listed, err := range s.List(ctx, key, "") {
		if err != nil {
			return err
		}
		if err := sameInfo("List", listed, "Stat", stat); err != nil {
			return err
		}
	}
	if info.Version != stat.Version {
		return fmt.Errorf("the put returned version %q, and the blob has %q", info.Version, stat.Version)
	}
	buf, _, err := s.ReadAll(ctx, key, []byte("in front, "))
	if err != nil || string(buf) != "in front, content" {
		return fmt.Errorf("reading did not append to the buffer: %q, %w", buf, err)
	}
	return expectContent(ctx, s, key, "content")
}

func checkEmpty(ctx context.Context, s *blob.Store, prefix string) error {
	if _, err := put(ctx, s, prefix+"/empty", "", blob.PutOptions{IfAbsent: true}); err != nil {
		return err
	}
	return expectContent(ctx, s, prefix+"/empty", "")
}

func checkAbsent(ctx context.Context, s *blob.Store, prefix string) error {
	key := prefix + "/folder/blob"
	if err := expectAbsent(ctx, s, key); err != nil {
		return err
	}
	if err := s.Delete(ctx, key); err != nil {
		return err
	}
	if _, err := put(ctx, s, key, "x", blob.PutOptions{}); err != nil {
		return err
	}
	return errors.Join(
		expectAbsent(ctx, s, prefix+"/folder"),
		expectAbsent(ctx, s, key+"/under"),
		expectAbsent(ctx, s, key+"x"),
	)
}

func checkOverwrite(ctx context.Context, s *blob.Store, prefix string) error {
	key := prefix + "/blob"
	seen := make(map[blob.Version]bool)
	for i := range 40 {
		data := strings.Repeat("x", 40-i)
		info, err := put(ctx, s, key, data, blob.PutOptions{})
		if err != nil {
			return err
		}
		if seen[info.Version] {
			return fmt.Errorf("version %q came twice", info.Version)
		}
		seen[info.Version] = true
		if err := expectContent(ctx, s, key, data); err != nil {
			return err
		}
	}
	return nil
}

func checkDelete(ctx context.Context, s *blob.Store, prefix string) error {
	key, neighbour := prefix+"/folder/blob", prefix+"/folder/blob2"
	if _, err := put(ctx, s, neighbour, "stays", blob.PutOptions{}); err != nil {
		return err
	}
	for round := range 3 {
		for i := range 3 {
			if _, err := put(ctx, s, key, fmt.Sprint(round, i), blob.PutOptions{}); err != nil {
				return err
			}
		}
		if err := s.Delete(ctx, key); err != nil {
			return err
		}
		if err := expectAbsent(ctx, s, key); err != nil {
			return err
		}
	}
	if _, err := put(ctx, s, key, "new", blob.PutOptions{IfAbsent: true}); err != nil {
		return err
	}
	return errors.Join(expectContent(ctx, s, key, "new"), expectContent(ctx, s, neighbour, "stays"))
}

// oddNames are names on which file systems, URIs and our own drivers might
// stumble.
var oddNames = []string{"with space", "plus+plus", "per%cent", "%2F", "%7E", "tilde~", "~", "a~1", "x~~", "quest?ion", "ha#sh",
	"am&p", "eq=ual", "col:on", "at@", "com,ma", "semi;", "quo'te", `dou"ble`, "st*r", "br[a]ck{e}t", "pi|pe", "<less>", "umläut", "日本", "🙂",
	".hidden", "..twodots", ".mops-tmp", ".mops-tmpfile", ".nfs0001", "lost+found", "-dash", "UPPER", "1", "0.1-2"}

func checkOddKeys(ctx context.Context, s *blob.Store, prefix string) error {
	var errs []error
	for _, name := range oddNames {
		for _, key := range []string{prefix + "/" + name, prefix + "/in/" + name + "-folder/" + name, prefix + "/under/" + name + "/blob"} {
			_, err1 := put(ctx, s, key, "first of "+key, blob.PutOptions{IfAbsent: true})
			_, err2 := put(ctx, s, key, key, blob.PutOptions{})
			if err := errors.Join(err1, err2); err != nil {
				errs = append(errs, err)
			}
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	for _, name := range oddNames {
		key := prefix + "/" + name
		errs = append(errs, expectContent(ctx, s, key, key))
		listed, err := list(ctx, s, prefix+"/under/"+name+"/", "")
		if err == nil && (len(listed) != 1 || listed[0] != prefix+"/under/"+name+"/blob") {
			err = fmt.Errorf("under %q there is listed %q", name, listed)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func checkInvalidKeys(ctx context.Context, s *blob.Store, prefix string) error {
	var errs []error
	for _, key := range []string{"", "/" + prefix, prefix + "/", prefix + "//x", prefix + "/../x", "..", prefix + "/./x", prefix + "/a\x00b",
		prefix + "/a\nb", prefix + `\b`, prefix + "/\xff", prefix + strings.Repeat("/longer", 200)} {
		_, errPut := put(ctx, s, key, "x", blob.PutOptions{})
		_, _, errRead := s.ReadAll(ctx, key, nil)
		errs = append(errs,
			expectKind(fmt.Sprintf("putting %q", key), errPut, blob.Invalid),
			expectKind(fmt.Sprintf("reading %q", key), errRead, blob.Invalid),
			expectKind(fmt.Sprintf("deleting %q", key), s.Delete(ctx, key), blob.Invalid))
	}
	return errors.Join(errs...)
}

func checkErrors(ctx context.Context, s *blob.Store, prefix string) error {
	key := prefix + "/blob"
	_, err := s.Stat(ctx, key)
	e, ok := errors.AsType[*blob.Error](err)
	if !ok {
		return fmt.Errorf("the error is no *blob.Error: %w", err)
	}
	if e.Op != "stat" || e.URI != s.URI(key) || !strings.Contains(e.Error(), s.URI(key)) {
		return fmt.Errorf("the error of a stat of %s says %q, of op %q and URI %q", s.URI(key), e, e.Op, e.URI)
	}
	return nil
}

func checkCancelled(ctx context.Context, s *blob.Store, prefix string) error {
	there, key := prefix+"/there", prefix+"/blob"
	if _, err := put(ctx, s, there, "before", blob.PutOptions{}); err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	operations := map[string]func() error{
		"ReadAll": func() error { _, _, err := s.ReadAll(ended, there, nil); return err },
		"Get":     func() error { _, _, err := read(ended, s, there, blob.Range{}); return err },
		"Stat":    func() error { _, err := s.Stat(ended, there); return err },
		"Delete":  func() error { return s.Delete(ended, there) },
		"List":    func() error { _, err := list(ended, s, prefix, ""); return err },
		"Put":     func() error { _, err := put(ended, s, key, "x", blob.PutOptions{}); return err },
		"PutIf":   func() error { _, err := put(ended, s, key, "x", blob.PutOptions{IfAbsent: true}); return err },
		"PutOver": func() error { _, err := put(ended, s, there, "x", blob.PutOptions{}); return err },
	}
	var errs []error
	for name, operation := range operations {
		if err := operation(); !errors.Is(err, context.Canceled) {
			errs = append(errs, fmt.Errorf("%s under a cancelled context returned %v", name, err))
		}
	}
	return errors.Join(append(errs, expectAbsent(ctx, s, key), expectContent(ctx, s, there, "before"))...)
}

func checkClock(ctx context.Context, s *blob.Store, prefix string) error {
	before, ok, err := s.Now(ctx)
	if err != nil || !ok {
		return err
	}
	info, err := put(ctx, s, prefix+"/blob", "x", blob.PutOptions{})
	if err != nil {
		return err
	}
	after, _, err := s.Now(ctx)
	if err != nil {
		return err
	}
	const coarse = 2 * time.Second // some stores date in whole seconds
	if after.Before(before) || info.ModTime.Before(before.Add(-coarse)) || info.ModTime.After(after.Add(coarse)) {
		return fmt.Errorf("the clock told %v, a blob was dated %v, the clock told %v", before, info.ModTime, after)
	}
	return nil
}

func checkHash(ctx context.Context, s *blob.Store, prefix string) error {
	for i := range 2 {
		content := fmt.Sprint("content ", i)
		if _, err := put(ctx, s, prefix+"/blob", content, blob.PutOptions{}); err != nil {
			return err
		}
		info, err := s.Stat(ctx, prefix+"/blob")
		if err != nil {
			return err
		}
		if want := fmt.Sprintf("%x", sha256.Sum256([]byte(content))); info.SHA256 != "" && info.SHA256 != want {
			return fmt.Errorf("Stat tells the hash %q of %q, and it is %s", info.SHA256, content, want)
		}
	}
	return nil
}

func checkReadUpTo(ctx context.Context, s *blob.Store, prefix string) error {
	key := prefix + "/blob"
	for _, content := range []string{"content", "next content", strings.Repeat("long ", 100_000)} { // later ones write over the first
		if _, err := put(ctx, s, key, content, blob.PutOptions{}); err != nil {
			return err
		}
		size := int64(len(content))
		if data, _, err := s.ReadUpTo(ctx, key, []byte("> "), size); err != nil || string(data) != "> "+content {
			return fmt.Errorf("reading up to %d bytes, which it has, gave %s (%v)", size, short(string(data)), err)
		}
		data, info, err := s.ReadUpTo(ctx, key, []byte("> "), size-1)
		if err := expectKind("reading more than was asked for", err, blob.TooLarge); err != nil {
			return err
		}
		stat, err := s.Stat(ctx, key)
		if err != nil {
			return err
		}
		if err := sameInfo("ReadUpTo", info, "Stat", stat); err != nil {
			return err
		}
		if string(data) != "> " {
			return fmt.Errorf("%d bytes were read of what is too large", len(data))
		}
	}
	_, _, err := s.ReadUpTo(ctx, prefix+"/absent", nil, 0)
	return expectKind("reading what is not there", err, blob.NotFound)
}

func checkLocalPath(ctx context.Context, s *blob.Store, prefix string) error {
	for i := range 3 {
		content := fmt.Sprint("content ", i)
		if _, err := put(ctx, s, prefix+"/blob", content, blob.PutOptions{}); err != nil {
			return err
		}
		path, ok, err := s.LocalPath(ctx, prefix+"/blob")
		if err != nil || !ok {
			return err
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != content {
			return fmt.Errorf("%s holds %q (%v), and should hold %q", path, data, err, content)
		}
	}
	return nil
}
