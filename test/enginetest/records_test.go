//go:build linux || darwin

package enginetest_test

import (
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// nameIn is the name of the work whose result this is. The test fails when it is no sound record.
func nameIn(t *testing.T, result []byte) string {
	t.Helper()
	opened, err := record.Open(record.KindResult, result)
	if err != nil {
		t.Fatalf("a result is not sound: %v", err)
	}
	var answer struct{ Text string }
	if err := cbor.Unmarshal(opened.Body, &answer); err != nil {
		t.Fatal(err)
	}
	name, _, _ := strings.Cut(answer.Text, " ")
	return name
}
