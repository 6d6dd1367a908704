// Package image makes the container image that workers on a cluster run, from
// the running program, without Docker and without a Dockerfile. [FromSelf] puts
// the program on a base as one layer, pushes the image to a registry, and
// returns its reference with a digest, as k8s.ImageFrom wants it. [Existing] finds
// an image that somebody else has built. The package stands alone: it imports
// nothing else of mops but internal/base/openfile.
//
// # What is in the image
//
// The entry point is the program, in /usr/local/bin, under its own name. It
// runs as user 65532, who can write only to what a pod mounts (the restricted
// level of
// https://kubernetes.io/docs/concepts/security/pod-security-standards/).
// Without [Base] nothing is pulled: the rest is /tmp, /etc/passwd and
// /etc/group, the certificate authorities of this machine (SSL_CERT_FILE, or
// where Linux and macOS have them) and the shared libraries of the program, if
// it is linked dynamically. A program that opens libraries while it runs (dlopen)
// has the whole C library, since those may need it: a GPU's driver comes from the
// node and finds it there. Time zones are in the program: this package imports
// time/tzdata.
//
// # Which program
//
// On Linux, on the architecture of the cluster, it is the very program that
// runs, even if its file was replaced: one built by go build, go run or go
// test. For other [Platforms], and on macOS and Windows, the go command builds it
// from its source, with the same tags and linker flags, without cgo, with -trimpath;
// so the source has to be there, in the main module of the working directory or of
// the file that calls FromSelf. The build takes the source as it is now, with all
// changes since the program was started. Workers refuse functions whose versions or
// types differ, and only warn of another build with the same ones. [Binary] names a
// file that was built otherwise, with cgo, say.
//
// An image for one platform is an image; one for several is an index, from which
// each node takes what is for it. k8s.ImageFrom lets pods run only on nodes of these
// platforms.
//
// # What is sent
//
// The digest depends on content alone, so an unchanged program is not pushed
// again: two requests, or three if the registry gives out tokens, show that it
// is there. For a changed program only its own layer is sent. The layers are
// compressed as they are read, at gzip's fastest level, and never lie in memory
// or on the disk as a whole.
//
// The image is tagged mops- with the first 16 digits of its digest. Nobody
// pulls by that name; registries remove images without a tag: Quay after an
// hour, others by their retention policy. A policy may remove tags that begin
// with mops- once they are older than the longest run of a program.
//
// # Credentials
//
// They are those of Docker: ~/.docker/config.json (or the folder DOCKER_CONFIG)
// with its credential helpers, Podman's auth.json (or REGISTRY_AUTH_FILE), and
// DOCKER_AUTH_CONFIG, which holds the text of such a file. docker login, podman
// login, gcloud auth configure-docker and az acr login write them. [Keychain]
// sets others.
package image
