package view

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// Session is a living or dead process, as its session tells of it.
type Session struct {
	ID      string         `json:"id"`
	Life    lease.Life     `json:"life"` // live, dead, unknown
	Why     string         `json:"why"`
	Host    string         `json:"host,omitempty"`
	PID     int            `json:"pid,omitempty"`
	User    string         `json:"user,omitempty"`
	Program record.Program `json:"program,omitzero"`
	Began   time.Time      `json:"began,omitzero"`
	Renewed time.Time      `json:"renewed,omitzero"` // by the store's clock
}

// lookAtSession looks at a session without writing anything.
func lookAtSession(ctx context.Context, store *blob.Store, id string) (Session, error) {
	sight, err := lease.Glance(ctx, store, id)
	if err != nil {
		return Session{}, err
	}
	v := Session{
		ID: id, Life: sight.Life, Why: sight.Why, User: sight.Record.User, Program: sight.Record.Program,
		Began: sight.Record.Began, Renewed: sight.Info.ModTime,
	}
	if p, err := process.Parse(sight.Record.Process); err == nil {
		v.Host, v.PID = p.Host, p.PID
	}
	return v, nil
}

// Who is "ada, process 4711 on node-7".
func (v Session) Who() string {
	var parts []string
	if v.User != "" {
		parts = append(parts, v.User)
	}
	if v.PID != 0 {
		place := fmt.Sprintf("process %d", v.PID)
		if v.Host != "" {
			place += " on " + v.Host
		}
		parts = append(parts, place)
	}
	if len(parts) == 0 {
		return "session " + v.ID
	}
	return strings.Join(parts, ", ")
}

// Alive is "live: its process runs on this machine".
func (v Session) Alive() string { return string(v.Life) + ": " + v.Why }

// Sights remembers sessions, so that a list of a thousand leases of one program
// looks at it once.
type Sights map[string]*Session

// Of is a session; nil for the one without a name.
func (s Sights) Of(ctx context.Context, store *blob.Store, id string) (*Session, error) {
	if v, ok := s[id]; ok || id == "" {
		return v, nil
	}
	v, err := lookAtSession(ctx, store, id)
	if err != nil {
		return nil, err
	}
	s[id] = &v
	return &v, nil
}

// ProgramText is which program a record comes from, in a line.
func ProgramText(p record.Program) string {
	parts := []string{p.Path}
	if p.Version != "" && p.Version != "(devel)" {
		parts = append(parts, p.Version)
	}
	if p.Revision != "" {
		parts = append(parts, Revision(p))
	}
	if p.Go != "" {
		parts = append(parts, p.Go)
	}
	return strings.Join(parts, " ")
}

// Revision is that which a program was built from, and whether it has changes.
func Revision(p record.Program) string {
	revision := p.Revision[:min(len(p.Revision), 12)]
	if revision != "" && p.Dirty {
		revision += " with uncommitted changes"
	}
	return revision
}
