package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/lease"
	"github.com/TrilliantHealth/mops-go/internal/process"
	"github.com/TrilliantHealth/mops-go/internal/record"
)

// sessionView is a living or dead process, as its session tells of it.
type sessionView struct {
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
func lookAtSession(ctx context.Context, store *blob.Store, id string) (sessionView, error) {
	sight, err := lease.Glance(ctx, store, id)
	if err != nil {
		return sessionView{}, err
	}
	v := sessionView{
		ID: id, Life: sight.Life, Why: sight.Why, User: sight.Record.User, Program: sight.Record.Program,
		Began: sight.Record.Began, Renewed: sight.Info.ModTime,
	}
	if p, err := process.Parse(sight.Record.Process); err == nil {
		v.Host, v.PID = p.Host, p.PID
	}
	return v, nil
}

// who is "ada, process 4711 on node-7".
func (v sessionView) who() string {
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

// alive is "live: its process runs on this machine".
func (v sessionView) alive() string { return string(v.Life) + ": " + v.Why }

// sights remembers sessions, so that a list of a thousand leases of one program
// looks at it once.
type sights struct {
	store *blob.Store
	seen  map[string]sessionView
}

func (s *sights) of(ctx context.Context, id string) (sessionView, error) {
	if v, ok := s.seen[id]; ok {
		return v, nil
	}
	v, err := lookAtSession(ctx, s.store, id)
	if err == nil {
		if s.seen == nil {
			s.seen = map[string]sessionView{}
		}
		s.seen[id] = v
	}
	return v, err
}

// describeProgram is which program a record comes from, in a line.
func describeProgram(p record.Program) string {
	parts := []string{p.Path}
	if p.Version != "" && p.Version != "(devel)" {
		parts = append(parts, p.Version)
	}
	if p.Revision != "" {
		revision := p.Revision[:min(len(p.Revision), 12)]
		if p.Dirty {
			revision += " with uncommitted changes"
		}
		parts = append(parts, revision)
	}
	if p.Go != "" {
		parts = append(parts, p.Go)
	}
	return strings.Join(parts, " ")
}
