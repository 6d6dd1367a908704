// Package tooltest has the built tool work on a cluster: it launches programs and
// examples, looks at them and copies files, as users with exactly the permissions
// that it prints. It stands above all others and has no code of its own, only tests.
package tooltest
