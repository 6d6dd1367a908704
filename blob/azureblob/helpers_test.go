package azureblob

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
)

// quick tries as often as the engine does, and waits less.
var quick = blob.RetryPolicy{First: time.Millisecond, Max: 20 * time.Millisecond}

// variables are all that credentials may come from.
var variables = []string{"AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_ACCOUNT",
	"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_TOKEN_CREDENTIALS", "AZURE_AUTHORITY_HOST", "AZURE_FEDERATED_TOKEN_FILE"}

// environment gives the test these variables and none of the others.
func environment(t *testing.T, values map[string]string) {
	t.Helper()
	for _, name := range variables {
		t.Setenv(name, values[name]) // which is undone after the test
		if values[name] == "" {
			os.Unsetenv(name)
		}
	}
}

func openRoot(tb testing.TB, uri string) *blob.Store {
	tb.Helper()
	s, err := blob.Open(tb.Context(), uri)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// under is the root below a root.
func under(uri, path string) string {
	root, query, _ := strings.Cut(uri, "?")
	return root + "/" + path + "?" + query
}

// service opens a root whose service is a function.
func service(t *testing.T, serve http.HandlerFunc) *blob.Store {
	t.Helper()
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	environment(t, map[string]string{"AZURE_STORAGE_KEY": base64.StdEncoding.EncodeToString([]byte("key"))})
	return openRoot(t, "adls://account/box/path?endpoint="+server.URL+"/account")
}

// mark puts on an answer what the service puts on all of its answers.
func mark(h http.Header) {
	h.Set("x-ms-request-id", "request-1")
	h.Set("x-ms-version", "2026-12-06")
}

// refuse answers as the service does when something is wrong.
func refuse(w http.ResponseWriter, status int, code, message string) {
	mark(w.Header())
	w.Header().Set("x-ms-error-code", code)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code><Message>%s\nRequestId:request-1\nTime:2026-11-25T12:00:00.0000000Z</Message>"+
		"<AuthenticationErrorDetail>The MAC signature found in the HTTP request 'hush' is not the same</AuthenticationErrorDetail></Error>", code, message)
}

// operation is one of a store's.
type operation struct {
	name string
	run  func(ctx context.Context, s *blob.Store) error
}

func putWith(name string, opts blob.PutOptions) operation {
	return operation{name, func(ctx context.Context, s *blob.Store) error {
		_, err := s.PutBytes(ctx, "key", []byte("content"), opts)
		return err
	}}
}

var (
	opRead = operation{"read", func(ctx context.Context, s *blob.Store) error { _, _, err := s.ReadAll(ctx, "key", nil); return err }}
	opGet  = operation{"get", func(ctx context.Context, s *blob.Store) error {
		body, _, err := s.Get(ctx, "key", blob.Range{Offset: 1})
		if err == nil {
			body.Close()
		}
		return err
	}}
	opStat     = operation{"stat", func(ctx context.Context, s *blob.Store) error { _, err := s.Stat(ctx, "key"); return err }}
	opPut      = putWith("put", blob.PutOptions{})
	opIfAbsent = putWith("put if absent", blob.PutOptions{IfAbsent: true})
	opSwap     = putWith("swap", blob.PutOptions{IfVersion: "0x1"})
	opDelete   = operation{"delete", func(ctx context.Context, s *blob.Store) error { return s.Delete(ctx, "key") }}
	opList     = operation{"list", func(ctx context.Context, s *blob.Store) error {
		for _, err := range s.List(ctx, "", "") {
			return err
		}
		return nil
	}}
	operations = []operation{opRead, opGet, opStat, opPut, opIfAbsent, opSwap, opDelete, opList}
)

// driverOf is our own store in one of package blob's.
func driverOf(s *blob.Store) *store { return s.Driver().(*store) }
