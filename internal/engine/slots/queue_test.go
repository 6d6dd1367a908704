package slots_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/engine/slots"
)

// Whoever waits in the queue holds no goroutine, is called once, and can be
// taken out; one that has its slot cannot.
func TestEnqueue(t *testing.T) {
	pool := slots.Local(1).(slots.Queue)
	var got []string
	add := func(name string) func(error) {
		return func(err error) { got = append(got, fmt.Sprint(name, " ", err)) }
	}
	if !pool.Enqueue("a", add("a")) || pool.Enqueue("b", add("b")) || pool.Enqueue("c", add("c")) {
		t.Error("only the first one should have found a slot free")
	}
	pool.Withdraw("b")
	pool.Withdraw("a") // has its slot
	pool.Withdraw("unknown")
	pool.Release("a")
	pool.Release("c")
	want := []string{fmt.Sprint("b ", slots.ErrReleased), "c <nil>"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
