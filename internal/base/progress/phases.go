package progress

import "sync/atomic"

// Phases says how far something is that goes on in phases, such as gc. It may be
// looked at meanwhile, from any goroutine. Its zero value is ready.
type Phases struct {
	phase    atomic.Pointer[string]
	done, of atomic.Int64
}

// Begin begins a phase of so many steps; 0 where that is not known, or one step.
func (p *Phases) Begin(phase string, of int64) {
	p.done.Store(0)
	p.of.Store(of)
	p.phase.Store(&phase)
}

// Step says that one more step of the phase is done.
func (p *Phases) Step() { p.done.Add(1) }

// Now is the phase, "" before the first one begins, how many of its steps are done,
// and of how many.
func (p *Phases) Now() (phase string, done, of int64) {
	if phase := p.phase.Load(); phase != nil {
		return *phase, p.done.Load(), p.of.Load()
	}
	return "", 0, 0
}
