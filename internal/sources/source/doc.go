// Package source makes files, folders and big values arguments and results of
// memoized calls. A [Ref] is one of these, known by the hash of its content; a
// [Files], one per environment, hashes it before a call, stores it on a miss,
// and finds its bytes again on the other side. It stands between the root
// package, which wraps Ref for users, and package blob, which holds the bytes.
//
// Its neighbours: package filehash knows the hashes of local files, package
// localcache keeps copies on this machine, and package sweep lets processes
// that remove content and processes that rely on it take turns.
//
// Content in a store on another machine is downloaded once, to a cache that all
// processes of a user share. Content that has lain in a store for long is
// written again before a program relies on it; see RelyFor.
//
// The life of an argument: [Files.Resolve] hashes it, the memo key is made,
// [Files.Upload] stores it if the call must be computed, the worker decodes it,
// and [Files.Bind] tells it where its bytes are. The life of a result:
// [Files.Publish] stores it, the record is written, the caller decodes it and
// binds it.
package source
