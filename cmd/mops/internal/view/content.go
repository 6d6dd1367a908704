package view

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/values/dynamic"
)

// Content is a blob that is no record: a file or the manifest of a folder.
type Content struct {
	SHA256 string `json:"sha256"`
	Start  []byte `json:"-"`               // of the file, at most a few kB
	Text   bool   `json:"text"`            // it begins like text
	Files  []any  `json:"files,omitempty"` // of a folder: path, size, sha256
}

const (
	startBytes   = 4 << 10
	manifestSize = 64 << 20 // of the largest that is looked for a manifest in
)

// readContent reads a blob that is no record, and checks its hash if its name is one.
func readContent(ctx context.Context, x roots.Address) (Record, error) {
	v, err := readContentOnce(ctx, x)
	if blob.Is(err, blob.Corrupt) || err == nil && v.Condition == Damaged {
		v, err = readContentOnce(ctx, x) // it may have come so by chance
	}
	if blob.Is(err, blob.Corrupt) {
		v.Condition, v.Problem, v.Content, err = Damaged, "the content is damaged: "+err.Error(), &Content{}, nil
	}
	return v, err
}

func readContentOnce(ctx context.Context, x roots.Address) (Record, error) {
	body, info, err := x.Store.Get(ctx, x.Path, blob.Range{})
	if err != nil {
		return Record{}, err
	}
	defer body.Close()
	v := Record{Kind: "file", URI: x.URI(), Bytes: info.Size, Modified: info.ModTime, Condition: Sound}
	hash := sha256.New()
	keep := int64(startBytes)
	if x.Kind == roots.KindBlob && info.Size <= manifestSize {
		keep = manifestSize
	}
	var start bytes.Buffer
	if _, err = io.CopyN(io.MultiWriter(hash, &start), body, keep); err == nil {
		_, err = io.Copy(hash, body)
	}
	if err != nil && err != io.EOF { // a short one ends before all that may be kept
		return v, err
	}
	c := Content{SHA256: hex.EncodeToString(hash.Sum(nil))}
	if x.Kind == roots.KindBlob {
		if files, ok := manifestOf(ctx, start.Bytes()); ok {
			v.Kind, c.Files = "folder", files
		}
		if name := path.Base(x.Path); name != c.SHA256 && !memo.IsCode(x.Path) {
			v.Condition = Damaged
			v.Problem = fmt.Sprintf("the content is damaged: its SHA-256 is %s", c.SHA256)
		}
	}
	c.Start = start.Bytes()[:min(start.Len(), startBytes)]
	c.Text = utf8.Valid(bytes.TrimRight(c.Start, "\x80\xbf")) && !bytes.ContainsRune(c.Start, 0)
	v.Content = &c
	return v, nil
}

// manifestOf recognises the list of files that stands for a folder; see package source.
func manifestOf(ctx context.Context, data []byte) (files []any, ok bool) {
	value, err := dynamic.Decode(ctx, data)
	m, isMap := value.(dynamic.Map)
	if err != nil || !isMap {
		return nil, false
	}
	if format, _ := m.Lookup("format"); format != "mops1-manifest" {
		return nil, false
	}
	files = []any{}
	listed, _ := m.Lookup("files")
	entries, _ := listed.([]any)
	for _, entry := range entries {
		fields, _ := entry.([]any)
		if len(fields) < 4 {
			return nil, false
		}
		hash, _ := fields[1].([]byte)
		files = append(files, map[string]any{"path": fields[0], "sha256": hex.EncodeToString(hash), "bytes": fields[2], "executable": fields[3]})
	}
	return files, true
}

// readRun reads the record of a run, which is plain JSON.
func readRun(ctx context.Context, x roots.Address) (Record, error) {
	header, found, err := record.FetchRun(ctx, x.Store, x.Path)
	v := Record{Kind: "run", URI: x.URI(), Bytes: found.Info.Size, Modified: found.Info.ModTime, Condition: Sound}
	switch {
	case errors.Is(err, record.ErrDamaged) && !json.Valid(found.Data):
		v.Condition, v.Problem = Damaged, err.Error()
		return v, nil
	case err != nil && !errors.Is(err, record.ErrDamaged):
		return Record{}, err
	}
	v.Header = found.Data
	if header.MemoKey != "" && header.MemoKey != x.Call.Key.String() {
		v.judge(&record.ForeignError{Want: x.Call.Key.String(), Got: header.MemoKey})
	}
	return v, nil
}

// readSession reads the record of a session and looks whether it lives.
func readSession(ctx context.Context, x roots.Address) (Record, error) {
	id := strings.TrimPrefix(x.Path, lease.SessionPrefix)
	if id == x.Path || id == "" {
		return Record{}, cli.Usagef("%s is the folder of all sessions: write the address of one", x.URI())
	}
	v, err := readRecord(ctx, x.Store, x.Path, record.KindSession, "")
	if err != nil {
		return v, err
	}
	seen, err := lookAtSession(ctx, x.Store, id)
	v.Session = &seen
	return v, err
}

// Read reads what lies at the address of a record, a session or a blob.
func Read(ctx context.Context, x roots.Address, now time.Time) (Record, error) {
	if x.Kind == roots.KindSession {
		return readSession(ctx, x)
	}
	if kind, ok := recordKinds[x.Call.Rest]; ok && x.Kind == roots.KindRecord {
		memoKey := x.Call.Key.String()
		if kind == record.KindLease {
			memoKey = "" // it names its own key
		}
		v, err := readRecord(ctx, x.Store, x.Path, kind, memoKey)
		if err == nil && kind == record.KindLease && v.Condition == Sound {
			err = v.fillLease(ctx, x, now)
		}
		if kind == record.KindInvocation {
			v.typed(v.types().In)
		}
		if kind == record.KindResult {
			if invocation, err := readRecord(ctx, x.Store, x.Call.Path()+"/invocation", record.KindInvocation, ""); err == nil {
				v.typed(invocation.types().Out)
			}
		}
		return v, err
	}
	if x.Kind == roots.KindRecord && strings.HasPrefix(x.Call.Rest, "runs/") && strings.HasSuffix(x.Path, ".json") {
		return readRun(ctx, x)
	}
	return readContent(ctx, x)
}

func (v *Record) fillLease(ctx context.Context, x roots.Address, now time.Time) error {
	lease, wrong, err := ReadLease(ctx, x.Store, x.Path, Sights{}, now)
	if wrong != nil {
		v.judge(wrong)
	} else {
		v.Lease = lease
	}
	return err
}

func isFormat(err error) bool {
	_, ok := errors.AsType[*record.FormatError](err)
	return ok
}
