// Package image makes the container image that workers on a cluster run, out of
// the running program, without Docker and without a Dockerfile. [FromSelf] puts
// the program on a base as one layer, pushes that to a registry, and tells by
// which digest it is pulled: what k8s.ImageFrom asks for. It stands alone: it
// imports nothing else of mops.
//
// # What is in the image
//
// The entry point is the program, in /usr/local/bin, under its own name. It runs
// as user 65532, who may write nothing but what a pod mounts (the restricted
// level of https://kubernetes.io/docs/concepts/security/pod-security-standards/).
// Without [Base] nothing is pulled: the rest is /tmp, /etc/passwd and /etc/group,
// the certificate authorities of this machine (SSL_CERT_FILE, or where Linux and
// macOS have them) and the shared libraries of the program, if it is linked
// dynamically. Time zones are in the program: this package imports time/tzdata.
//
// # Which program
//
// On Linux, on the architecture of the cluster, it is the very program that
// runs, whatever became of its file: one built by go build, go run or go test.
// Elsewhere the go command builds it from its source for [Platform], with the
// same tags and linker flags, without cgo, with -trimpath; so the source has to
// be there, in the main module of the working directory or of who calls FromSelf.
// It is taken as it is now: what was changed since the program was started is in
// the image. Functions whose versions or types differ are refused by workers,
// another build with the same ones is only warned of. [Binary] names a file
// that was built otherwise.
//
// # What is sent
//
// The digest depends on content alone, so a program that has not changed is not
// pushed again: two requests, or three where the registry gives out tokens, tell
// that it is there. Of one that has changed, its own layer is sent, and the rest
// is there. The layers are compressed as they are read, at gzip's fastest level,
// and never lie in memory or on the disk as a whole.
//
// The image is tagged mops- with the first 16 digits of its digest. Nobody pulls
// by that name; it is there because registries remove what has no tag: Quay after
// an hour, others where their retention policy says so. A policy may well remove
// tags that begin with mops- after the longest time that a program runs.
//
// # Credentials
//
// They are those of Docker: ~/.docker/config.json (or the folder DOCKER_CONFIG)
// with its credential helpers, Podman's auth.json (or REGISTRY_AUTH_FILE), and
// DOCKER_AUTH_CONFIG, which holds the text of such a file. docker login, podman
// login, gcloud auth configure-docker and az acr login write them. [Keychain]
// sets others.
package image
