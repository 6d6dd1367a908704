package fileblob

import (
	"strconv"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// identity tells a file from every other that ever had its name.
type identity struct {
	inode uint64
	mtime int64 // ns since 1970
}

func (id identity) append(b []byte) []byte {
	b = strconv.AppendUint(b, id.inode, 16)
	b = append(b, '-')
	return strconv.AppendUint(b, uint64(id.mtime), 16)
}

func parseIdentity(s string) (id identity, ok bool) {
	inode, mtime, _ := strings.Cut(s, "-")
	i, err1 := strconv.ParseUint(inode, 16, 64)
	t, err2 := strconv.ParseUint(mtime, 16, 64)
	return identity{i, int64(t)}, err1 == nil && err2 == nil
}

// version is one state of a blob.
type version struct {
	number uint64
	life   identity // of version 0
	file   identity // of this version
}

// token is what callers see of a version: "number:life:file".
func (v version) token() driver.Version {
	b := strconv.AppendUint(make([]byte, 0, 80), v.number, 10)
	b = v.life.append(append(b, ':'))
	b = v.file.append(append(b, ':'))
	return driver.Version(b)
}

func parseToken(token driver.Version) (v version, ok bool) {
	number, rest, _ := strings.Cut(string(token), ":")
	life, file, _ := strings.Cut(rest, ":")
	n, err := strconv.ParseUint(number, 10, 64)
	var ok1, ok2 bool
	v.number = n
	v.life, ok1 = parseIdentity(life)
	v.file, ok2 = parseIdentity(file)
	return v, err == nil && ok1 && ok2
}

// at is the file of the version of a blob whose version 0 is at path.
func (v version) at(path string) string {
	if v.number == 0 {
		return path
	}
	return versionFile(path, v.number, v.life)
}

func versionFile(path string, number uint64, life identity) string {
	b := make([]byte, 0, len(path)+64)
	b = append(append(b, path...), "~/"...)
	b = strconv.AppendUint(b, number, 10)
	return string(life.append(append(b, '.')))
}

// parseVersionFile takes apart the name of a file in a folder of versions.
func parseVersionFile(name string) (number uint64, life identity, ok bool) {
	first, rest, _ := strings.Cut(name, ".")
	number, err := strconv.ParseUint(first, 10, 64)
	life, ok = parseIdentity(rest)
	return number, life, ok && err == nil && number > 0
}
