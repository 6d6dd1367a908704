package lease

import (
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
)

func TestGlance(t *testing.T) {
	store := blob.New("mem://glance", memblob.New())
	glance := func(session string) Sight {
		t.Helper()
		s, err := Glance(t.Context(), store, session)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	session := NewSession(store, Config{User: "ada"})
	id, err := session.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s := glance(id); s.Life != Alive || s.Record.User != "ada" || s.Why != "its process runs on this machine" {
		t.Errorf("a session that lives: %+v", s)
	}
	if err := session.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	before, err := store.Stat(t.Context(), sessionKey(id))
	if err != nil {
		t.Fatal(err)
	}
	if s := glance(id); s.Life != Gone || s.Why != "its process ended" {
		t.Errorf("one that ended: %+v", s)
	}
	if s := glance("nobody"); s.Life != Gone || s.Why != "its session is not in the store" {
		t.Errorf("one that never was: %+v", s)
	}
	if s := glance("../climbs"); s.Life != Gone {
		t.Errorf("none at all: %+v", s)
	}
	if _, err := store.PutBytes(t.Context(), sessionKey("torn"), []byte("x"), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if s := glance("torn"); s.Life != Gone || s.Why != "its session's record is damaged" {
		t.Errorf("a damaged one: %+v", s)
	}
	if after, err := store.Stat(t.Context(), sessionKey(id)); err != nil || after.Version != before.Version {
		t.Errorf("looking changed the session: %v", err)
	}
}

func TestGlanceFromAnotherMachine(t *testing.T) {
	elsewhere := process.Self()
	elsewhere.Boot = "another"
	state := SessionState{State: Live, Process: elsewhere.String(), TTLSeconds: 24}
	for quiet, want := range map[time.Duration]Life{0: Alive, 20 * time.Second: Alive, time.Minute: Gone} {
		if life, why := state.glance(quiet); life != want {
			t.Errorf("not renewed for %v: %s (%s), want %s", quiet, life, why, want)
		}
	}
	state.Process = process.Self().String()
	if life, _ := state.glance(time.Hour); life != Alive {
		t.Errorf("a process that we see running is %s", life)
	}
}
