// Package k8stest has whole programs call functions on a real cluster: the
// engine, the executor, images, stores and logs together. It stands above all
// the others, as internal/enginetest does for one machine, and has no code of
// its own, only tests.
package k8stest
