// Package gcsblob measures the driver of gs:// against Google's SDK, which the driver
// does not use: a program that imports the driver need not fetch it.
package gcsblob
