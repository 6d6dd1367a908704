package function

import (
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// Actual is what the code of a function is, whatever its lock says.
type Actual struct {
	Hash    string            // see record.Origin; "" if it is not known
	Code    *code.Fingerprint // with that hash; nil if it is not known
	Version string            // under which calls are made; "" for the function's own
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
		r.rejoin()
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
	if is := f.origin.Load(); is.hash == "" && len(is.callees) == 0 {
		return nil // it has no lock, nor has what it calls
	}
	return *looking
}

// locked is the lock of f at the version in its code; nil if there is none.
func (f *Function) locked() *code.Own {
	own, err := f.registry.Locks.Of(f.Name, f.declared)
	if err != nil {
		return nil // Prepare says so
	}
	return own
}

// IsLocked says that f is what its lock says, as far as it is known.
func (f *Function) IsLocked() bool {
	lock, is := f.locked(), f.own.Load()
	return lock != nil && is != nil && asLocked(lock).hash == is.hash
}

// is sets what the code of f is.
func (f *Function) is(actual Actual) {
	lock := f.locked()
	if lock == nil {
		return // it has no lock, or is locked at another version: that is not settled
	}
	is := &own{hash: actual.Hash, code: actual.Code}
	if lock.Accepts(actual.Hash) { // the lock's description is as good
		is = asLocked(lock)
	} else if v := variant(lock); v != "" && actual.Hash != "" {
		is = &own{hash: v + actual.Hash}
	}
	f.own.Store(is)
	if actual.Version != "" && !f.prepared.Load() {
		f.setVersion(actual.Version)
	}
}

// rejoin makes the origins of all functions anew, after is.
func (r *Registry) rejoin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.functions {
		if f.origin.Load() != nil { // else Prepare will
			f.join()
		}
	}
}

// Edited is what a program tells its workers of a function that was edited
// since it was locked.
type Edited struct {
	Locked  string `json:"locked"` // the hash in the lock
	Code    string `json:"code,omitempty"`
	Version string `json:"version"` // under which calls are made
}

// Edited are the functions that were edited since they were locked, by name.
func (r *Registry) Edited() map[string]Edited {
	var all map[string]Edited
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, f := range r.functions {
		lock, is := f.locked(), f.own.Load()
		if lock == nil || is == nil || is.hash == asLocked(lock).hash {
			continue
		}
		if all == nil {
			all = map[string]Edited{}
		}
		all[name] = Edited{Locked: lock.Hash, Code: is.hash, Version: f.Version}
	}
	return all
}

// Follow does in a worker what Look found out in the program that started it,
// where both have the same locks: the worker may not have the sources.
func (r *Registry) Follow(edited map[string]Edited) {
	for name, e := range edited {
		f, known := r.Lookup(name)
		if !known {
			continue
		}
		if own := f.locked(); own != nil && own.Hash == e.Locked {
			f.is(Actual{Hash: e.Code, Version: e.Version})
		}
	}
	r.rejoin()
}

// EditedNearby are the functions of f's registry that were edited.
func (f *Function) EditedNearby() map[string]Edited { return f.registry.Edited() }
