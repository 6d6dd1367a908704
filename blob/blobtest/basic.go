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
	{"ReadBack", "What was put is what is read, and every operation describes it alike.", running(checkReadBack)},
	{"Empty", "A blob may be empty.", running(checkEmpty)},
	{"Absent", "A blob that is not there is reported as such; deleting it is no error.", running(checkAbsent)},
	{"Overwrite", "A put without conditions replaces what was there.", running(checkOverwrite)},
	{"Delete", "A deleted blob is gone, with all that was ever written over it.", running(checkDelete)},
	{"OddKeys", "Every valid key names a blob of its own.", running(checkOddKeys)},
	{"InvalidKeys", "A key that climbs out, or is not clean, is refused.", running(checkInvalidKeys)},
	{"Errors", "An error names the operation and the blob.", running(checkErrors)},
	{"Cancelled", "A context that has ended ends every operation, and nothing is written.", running(checkCancelled)},
	{"Clock", "The clock, if there is one, is the one that dates the blobs.", running(checkClock)},
	{"Hash", "The hash that is told of a blob, if one is, is that of its newest content.", running(checkHash)},
	{"ReadUpTo", "Of a blob that is larger than was asked for nothing is read, and it is described.", running(checkReadUpTo)},
	{"LocalPath", "The local path, if there is one, is that of the newest content.", running(checkLocalPath)},
}

func checkReadBack(p *probe) {
	key := p.prefix + "/folder/blob"
	info := p.put(key, "content", blob.PutOptions{Durable: true})
	if info.Key != key || info.Size != 7 {
		p.failf("the put of 7 bytes to %s returned %+v", key, info)
	}
	stat := p.stat(key)
	for listed, err := range p.store.List(p.ctx, key, "") {
		p.must(err)
		p.same("List", listed, "Stat", stat)
	}
	if info.Version != stat.Version {
		p.failf("the put returned version %q, and the blob has %q", info.Version, stat.Version)
	}
	buf, _, err := p.store.ReadAll(p.ctx, key, []byte("in front, "))
	if err != nil || string(buf) != "in front, content" {
		p.failf("reading did not append to the buffer: %q, %w", buf, err)
	}
	p.content(key, "content")
}

func checkEmpty(p *probe) {
	p.put(p.prefix+"/empty", "", blob.PutOptions{IfAbsent: true})
	p.content(p.prefix+"/empty", "")
}

func checkAbsent(p *probe) {
	key := p.prefix + "/folder/blob"
	p.absent(key)
	p.delete(key)
	p.put(key, "x", blob.PutOptions{})
	p.absent(p.prefix + "/folder")
	p.absent(key + "/under")
	p.absent(key + "x")
}

func checkOverwrite(p *probe) {
	key := p.prefix + "/blob"
	seen := make(map[blob.Version]bool)
	for i := range 40 {
		data := strings.Repeat("x", 40-i)
		info := p.put(key, data, blob.PutOptions{})
		if seen[info.Version] {
			p.failf("version %q came twice", info.Version)
		}
		seen[info.Version] = true
		p.content(key, data)
	}
}

func checkDelete(p *probe) {
	key, neighbour := p.prefix+"/folder/blob", p.prefix+"/folder/blob2"
	p.put(neighbour, "stays", blob.PutOptions{})
	for round := range 3 {
		for i := range 3 {
			p.put(key, fmt.Sprint(round, i), blob.PutOptions{})
		}
		p.delete(key)
		p.absent(key)
	}
	p.put(key, "new", blob.PutOptions{IfAbsent: true})
	p.content(key, "new")
	p.content(neighbour, "stays")
}

// oddNames are names on which file systems, URIs and our own drivers might
// stumble.
var oddNames = []string{"with space", "plus+plus", "per%cent", "%2F", "%7E", "tilde~", "~", "a~1", "x~~", "quest?ion", "ha#sh",
	"am&p", "eq=ual", "col:on", "at@", "com,ma", "semi;", "quo'te", `dou"ble`, "st*r", "br[a]ck{e}t", "pi|pe", "<less>", "umläut", "日本", "🙂",
	".hidden", "..twodots", ".mops-tmp", ".mops-tmpfile", ".nfs0001", "lost+found", "-dash", "UPPER", "1", "0.1-2"}

func checkOddKeys(p *probe) {
	var errs []error
	for _, name := range oddNames {
		for _, key := range []string{p.prefix + "/" + name, p.prefix + "/in/" + name + "-folder/" + name, p.prefix + "/under/" + name + "/blob"} {
			_, err1 := put(p.ctx, p.store, key, "first of "+key, blob.PutOptions{IfAbsent: true})
			_, err2 := put(p.ctx, p.store, key, key, blob.PutOptions{})
			if err := errors.Join(err1, err2); err != nil {
				errs = append(errs, err)
			}
		}
	}
	p.must(errors.Join(errs...))
	for _, name := range oddNames {
		key := p.prefix + "/" + name
		errs = append(errs, p.try(func() { p.content(key, key) }))
		listed, err := list(p.ctx, p.store, p.prefix+"/under/"+name+"/", "")
		if err == nil && (len(listed) != 1 || listed[0] != p.prefix+"/under/"+name+"/blob") {
			err = fmt.Errorf("under %q there is listed %q", name, listed)
		}
		errs = append(errs, err)
	}
	p.must(errors.Join(errs...))
}

func checkInvalidKeys(p *probe) {
	var errs []error
	for _, key := range []string{"", "/" + p.prefix, p.prefix + "/", p.prefix + "//x", p.prefix + "/../x", "..", p.prefix + "/./x", p.prefix + "/a\x00b",
		p.prefix + "/a\nb", p.prefix + `\b`, p.prefix + "/\xff", p.prefix + strings.Repeat("/longer", 200)} {
		_, errPut := put(p.ctx, p.store, key, "x", blob.PutOptions{})
		_, _, errRead := p.store.ReadAll(p.ctx, key, nil)
		errs = append(errs,
			expectKind(fmt.Sprintf("putting %q", key), errPut, blob.Invalid),
			expectKind(fmt.Sprintf("reading %q", key), errRead, blob.Invalid),
			expectKind(fmt.Sprintf("deleting %q", key), p.store.Delete(p.ctx, key), blob.Invalid))
	}
	p.must(errors.Join(errs...))
}

func checkErrors(p *probe) {
	key := p.prefix + "/blob"
	_, err := p.store.Stat(p.ctx, key)
	e, ok := errors.AsType[*blob.Error](err)
	if !ok {
		p.failf("the error is no *blob.Error: %w", err)
	}
	if e.Op != "stat" || e.URI != p.store.URI(key) || !strings.Contains(e.Error(), p.store.URI(key)) {
		p.failf("the error of a stat of %s says %q, of op %q and URI %q", p.store.URI(key), e, e.Op, e.URI)
	}
}

func checkCancelled(p *probe) {
	there, key := p.prefix+"/there", p.prefix+"/blob"
	p.put(there, "before", blob.PutOptions{})
	ended, cancel := context.WithCancel(p.ctx)
	cancel()
	operations := map[string]func() error{
		"ReadAll": func() error { _, _, err := p.store.ReadAll(ended, there, nil); return err },
		"Get":     func() error { _, _, err := read(ended, p.store, there, blob.Range{}); return err },
		"Stat":    func() error { _, err := p.store.Stat(ended, there); return err },
		"Delete":  func() error { return p.store.Delete(ended, there) },
		"List":    func() error { _, err := list(ended, p.store, p.prefix, ""); return err },
		"Put":     func() error { _, err := put(ended, p.store, key, "x", blob.PutOptions{}); return err },
		"PutIf":   func() error { _, err := put(ended, p.store, key, "x", blob.PutOptions{IfAbsent: true}); return err },
		"PutOver": func() error { _, err := put(ended, p.store, there, "x", blob.PutOptions{}); return err },
	}
	var errs []error
	for name, operation := range operations {
		if err := operation(); !errors.Is(err, context.Canceled) {
			errs = append(errs, fmt.Errorf("%s under a cancelled context returned %v", name, err))
		}
	}
	p.must(errors.Join(errs...))
	p.absent(key)
	p.content(there, "before")
}

func checkClock(p *probe) {
	began := time.Now()
	before, ok, err := p.store.Now(p.ctx)
	p.must(err)
	if !ok {
		return
	}
	info := p.put(p.prefix+"/blob", "x", blob.PutOptions{})
	after, _, err := p.store.Now(p.ctx)
	p.must(err)
	// Some stores date in whole seconds, and a time is late by as long as it was under way.
	coarse := 2*time.Second + time.Since(began)
	if after.Before(before) || info.ModTime.Before(before.Add(-coarse)) || info.ModTime.After(after.Add(coarse)) {
		p.failf("the clock told %v, a blob was dated %v, the clock told %v", before, info.ModTime, after)
	}
}

func checkHash(p *probe) {
	for i := range 2 {
		content := fmt.Sprint("content ", i)
		p.put(p.prefix+"/blob", content, blob.PutOptions{})
		info := p.stat(p.prefix + "/blob")
		if want := fmt.Sprintf("%x", sha256.Sum256([]byte(content))); info.SHA256 != "" && info.SHA256 != want {
			p.failf("Stat tells the hash %q of %q, and it is %s", info.SHA256, content, want)
		}
	}
}

func checkReadUpTo(p *probe) {
	key := p.prefix + "/blob"
	for _, content := range []string{"content", "next content", strings.Repeat("long ", 100_000)} { // later ones write over the first
		p.put(key, content, blob.PutOptions{})
		size := int64(len(content))
		if data, _, err := p.store.ReadUpTo(p.ctx, key, []byte("> "), size); err != nil || string(data) != "> "+content {
			p.failf("reading up to %d bytes, which it has, gave %s (%v)", size, short(string(data)), err)
		}
		data, info, err := p.store.ReadUpTo(p.ctx, key, []byte("> "), size-1)
		p.fails("reading more than was asked for", err, blob.TooLarge)
		stat := p.stat(key)
		p.same("ReadUpTo", info, "Stat", stat)
		if string(data) != "> " {
			p.failf("%d bytes were read of what is too large", len(data))
		}
	}
	_, _, err := p.store.ReadUpTo(p.ctx, p.prefix+"/absent", nil, 0)
	p.fails("reading what is not there", err, blob.NotFound)
}

func checkLocalPath(p *probe) {
	for i := range 3 {
		content := fmt.Sprint("content ", i)
		p.put(p.prefix+"/blob", content, blob.PutOptions{})
		path, ok, err := p.store.LocalPath(p.ctx, p.prefix+"/blob")
		p.must(err)
		if !ok {
			return
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != content {
			p.failf("%s holds %q (%v), and should hold %q", path, data, err, content)
		}
	}
}
