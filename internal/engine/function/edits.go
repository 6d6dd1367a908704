package function

import (
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// Actual is what the code of a function is, whatever its lock says.
type Actual struct {
	Code    *code.Fingerprint // nil if it is not known
	Edited  bool              // with Code nil: it is not what was locked
	Version string            // under which calls are made from now on; "" for the function's own
}

// Look says that the source of locked functions is being looked at. Until the
// caller calls settle, once, [Function.Looking] says so. Where somebody looks
// already, ok is false.
func (r *Registry) Look() (settle func(map[string]Actual), ok bool) {
	looking := make(chan struct{})
	if !r.looking.CompareAndSwap(nil, &looking) {
		return nil, false
	}
	return func(found map[string]Actual) {
		for name, actual := range found {
			if f, known := r.Lookup(name); known {
				f.is(actual)
			}
		}
		r.looking.Store(nil)
		close(looking)
	}, true
}

// Looking is closed when it is known which code f is; nil if nobody looks.
func (f *Function) Looking() <-chan struct{} {
	looking := f.registry.looking.Load()
	if looking == nil {
		return nil
	}
	if is, _ := f.Code(); is == nil {
		return nil // it has no lock
	}
	return *looking
}

// is sets what the code of f is.
func (f *Function) is(actual Actual) {
	own, err := f.registry.Locks.Of(f.Name, f.Version)
	if own == nil || err != nil {
		return // it has no lock, or is locked at another version: that is not settled
	}
	is := &origin{Origin: record.Origin{Func: definition(f.Symbol)}, code: actual.Code}
	switch {
	case actual.Code != nil && own.Accepts(actual.Code.Hash):
		is.code, is.same = &own.Fingerprint, own.Same // the lock's description is as good
		is.Code = own.Hash
	case actual.Code != nil:
		is.Code = actual.Code.Hash
	case actual.Edited:
		is.Code = record.Edited(own.Hash)
	}
	f.origin.Store(is)
	if actual.Version != "" && !f.prepared.Load() {
		f.Version = actual.Version
	}
}
