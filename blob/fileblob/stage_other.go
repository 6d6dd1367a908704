//go:build !linux

package fileblob

import (
	"errors"
	"os"
	"time"
)

// alwaysNamed says that this system has no unnamed files.
const alwaysNamed = true

var errNoUnnamed = errors.New("no unnamed files here")

func openUnnamed(string) (*os.File, error) { return nil, errNoUnnamed }

func (st *staged) link(path string) error { return os.Link(st.name, path) }

func (st *staged) setTime(mtime time.Time) error { return os.Chtimes(st.name, time.Time{}, mtime) }
