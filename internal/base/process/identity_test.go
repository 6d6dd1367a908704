//go:build linux || darwin

package process_test

import (
	"os"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/base/process"
)

func TestIdentityRoundTrip(t *testing.T) {
	for _, id := range []process.Identity{
		process.Self(),
		{PID: 1, Host: "a", Boot: "b", PIDNamespace: "4026531836", Start: 1<<64 - 1},
		{PID: 7},
	} {
		got, err := process.Parse(id.String())
		if err != nil || got != id {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", id.String(), got, err, id)
		}
	}
	odd := process.Identity{PID: 3, Host: "a/b c\nd"}
	if got, err := process.Parse(odd.String()); err != nil || got.Host != "a_b_c_d" {
		t.Errorf("an odd host name reads back as %q, %v", got.Host, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{
		"", "1", "1/2/3/4", "1/2/3/4/5/6", "x/2/3/4/5", "1/x/3/4/5", "0/2/3/4/5", "-1/2/3/4/5",
		"99999999999/2/3/4/5", "1/-2/3/4/5", " 1/2/3/4/5",
	} {
		if id, err := process.Parse(s); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", s, id)
		}
	}
}

func TestSameHost(t *testing.T) {
	id := process.Self()
	if id.PID != os.Getpid() || id.Boot == "" || id.Start == 0 {
		t.Fatalf("Self() = %+v", id)
	}
	if !id.SameHost(id) {
		t.Error("we are not on our own host")
	}
	otherBoot, otherNamespace, unknown := id, id, process.Identity{PID: 1}
	otherBoot.Boot += "x"
	otherNamespace.PIDNamespace += "1"
	if unknown.SameHost(unknown) {
		t.Error("two that know nothing of their hosts are on the same one")
	}
	for _, other := range []process.Identity{otherBoot, otherNamespace, unknown} {
		if id.SameHost(other) || other.SameHost(id) {
			t.Errorf("%v and %v are not on one host", id, other)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(process.Self().String())
	f.Add("1/2/3/4/5")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := process.Parse(s)
		if err != nil {
			return
		}
		again, err := process.Parse(id.String())
		again.Host, id.Host = "", "" // may be cleaned
		if err != nil || again != id {
			t.Errorf("%q reads as %+v, which reads back as %+v, %v", s, id, again, err)
		}
	})
}
