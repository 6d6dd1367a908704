package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/dynamic"
	"github.com/TrilliantHealth/mops-go/internal/lease"
	"github.com/TrilliantHealth/mops-go/internal/record"
)

// content is a blob that is no record: a file or the manifest of a folder.
type content struct {
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
func readContent(ctx context.Context, x address) (recordView, error) {
	v, err := readContentOnce(ctx, x)
	if blob.Is(err, blob.Corrupt) || err == nil && v.Condition == damaged {
		v, err = readContentOnce(ctx, x) // it may have come so by chance
	}
	if blob.Is(err, blob.Corrupt) {
		v.Condition, v.Problem, v.Content, err = damaged, "the content is damaged: "+err.Error(), &content{}, nil
	}
	return v, err
}

func readContentOnce(ctx context.Context, x address) (recordView, error) {
	body, info, err := x.store.Get(ctx, x.path, blob.Range{})
	if err != nil {
		return recordView{}, err
	}
	defer body.Close()
	v := recordView{Kind: "file", URI: x.uri(), Bytes: info.Size, Modified: info.ModTime, Condition: sound}
	hash := sha256.New()
	keep := int64(startBytes)
	if x.what == aBlob && info.Size <= manifestSize {
		keep = manifestSize
	}
	var start bytes.Buffer
	if _, err := io.Copy(io.MultiWriter(hash, &limited{&start, keep}), body); err != nil {
		return v, err
	}
	c := content{SHA256: hex.EncodeToString(hash.Sum(nil))}
	if x.what == aBlob {
		if files, ok := manifestOf(ctx, start.Bytes()); ok {
			v.Kind, c.Files = "folder", files
		}
		if name := base(x.path); name != c.SHA256 {
			v.Condition = damaged
			v.Problem = fmt.Sprintf("the content is damaged: its SHA-256 is %s", c.SHA256)
		}
	}
	c.Start = start.Bytes()[:min(start.Len(), startBytes)]
	c.Text = utf8.Valid(bytes.TrimRight(c.Start, "\x80\xbf")) && !bytes.ContainsRune(c.Start, 0)
	v.Content = &c
	return v, nil
}

// limited keeps the first bytes and drops the others.
type limited struct {
	to   *bytes.Buffer
	left int64
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(int64(len(p)), l.left)
	l.to.Write(p[:n])
	l.left -= n
	return len(p), nil
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
func readRun(ctx context.Context, x address) (recordView, error) {
	header, found, err := record.FetchRun(ctx, x.store, x.path)
	v := recordView{Kind: "run", URI: x.uri(), Bytes: found.Info.Size, Modified: found.Info.ModTime, Condition: sound}
	switch {
	case errors.Is(err, record.ErrDamaged) && !json.Valid(found.Data):
		v.Condition, v.Problem = damaged, err.Error()
		return v, nil
	case err != nil && !errors.Is(err, record.ErrDamaged):
		return recordView{}, err
	}
	v.Header = found.Data
	if header.MemoKey != "" && header.MemoKey != x.call.Key.String() {
		v.judge(&record.ForeignError{Want: x.call.Key.String(), Got: header.MemoKey})
	}
	return v, nil
}

// readSession reads the record of a session and looks whether it lives.
func readSession(ctx context.Context, x address) (recordView, error) {
	id := strings.TrimPrefix(x.path, lease.SessionPrefix)
	if id == x.path || id == "" {
		return recordView{}, usagef("%s is the folder of all sessions: write the address of one", x.uri())
	}
	v, err := readRecord(ctx, x.store, x.path, record.KindSession, "")
	if err != nil {
		return v, err
	}
	seen, err := lookAtSession(ctx, x.store, id)
	v.Session = &seen
	return v, err
}

func isFormat(err error) bool {
	_, ok := errors.AsType[*record.FormatError](err)
	return ok
}
