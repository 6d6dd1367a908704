// Package footprint measures what a program pays for what it imports of mops: how
// many modules the go command fetches for it, beginning with an empty module cache.
// Its test prints the table and holds the bounds. It has no code of its own.
package footprint
