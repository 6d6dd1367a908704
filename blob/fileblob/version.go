package fileblob

import (
	"math/rand/v2"
	"path/filepath"
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

func (id identity) String() string { return string(id.append(nil)) }

func parseIdentity(s string) (id identity, ok bool) {
	inode, mtime, _ := strings.Cut(s, "-")
	i, err1 := strconv.ParseUint(inode, 16, 64)
	t, err2 := strconv.ParseUint(mtime, 16, 64)
	return identity{i, int64(t)}, err1 == nil && err2 == nil
}

// version is one state of a blob.
type version struct {
	life   identity // of version 0
	number uint64
	nonce  uint64 // tells apart the versions that several writers tried; 0 for version 0
}

// after is a new successor of v, unlike any other.
func (v version) after() version { return version{v.life, v.number + 1, rand.Uint64()} }

// token is what callers see of a version: "life:number-nonce".
func (v version) token() driver.Version {
	b := append(v.life.append(make([]byte, 0, 80)), ':')
	return driver.Version(v.append(b))
}

func parseToken(token driver.Version) (version, bool) {
	life, name, _ := strings.Cut(string(token), ":")
	v, ok1 := parseName(name)
	var ok2 bool
	v.life, ok2 = parseIdentity(life)
	return v, ok1 && ok2
}

func (v version) append(b []byte) []byte {
	b = strconv.AppendUint(b, v.number, 10)
	b = append(b, '-')
	return strconv.AppendUint(b, v.nonce, 16)
}

// name is the version's file name in the folder of its life.
func (v version) name() string { return string(v.append(nil)) }

func parseName(name string) (version, bool) {
	number, nonce, _ := strings.Cut(name, "-")
	n, err1 := strconv.ParseUint(number, 10, 64)
	r, err2 := strconv.ParseUint(nonce, 16, 64)
	return version{number: n, nonce: r}, err1 == nil && err2 == nil
}

// newest ends the name of the pointer; the name of the newest version comes
// before it.
const newest = ".newest"

// versionsOf is the folder of the later versions of the blob at path.
func versionsOf(path string) string { return path + "~" }

// lifeOf is the folder of the versions of one life of the blob.
func lifeOf(path string, life identity) string { return filepath.Join(versionsOf(path), life.String()) }

// at is the file of a version of the blob at path.
func (v version) at(path string) string {
	if v.number == 0 {
		return path
	}
	return filepath.Join(lifeOf(path, v.life), v.name())
}

// pointer is the file that says that a version is the newest.
func (v version) pointer(path string) string { return v.at(path) + newest }
