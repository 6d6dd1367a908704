package function

import (
	"runtime"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// origin is by which code a function computes, as far as that is known. It is
// replaced as a whole: while a program runs, its source may turn out to differ
// from what was locked.
type origin struct {
	record.Origin
	own
	callees []callee
}

// own is what is known of a function's own code.
type own struct {
	hash string
	code *code.Fingerprint // nil if it is not known
	same []code.Same       // what was declared equal to it
}

// callee is a function that another calls, by the code that it has.
type callee struct {
	own
	f  *Function
	id string
}

// setOrigin sets what the locks say of f and of what it calls, unless more is
// known already.
func (f *Function) setOrigin() error {
	for _, g := range append(f.reached(), f) {
		if err := g.setOwn(); err != nil {
			return err
		}
	}
	f.join()
	return nil
}

func (f *Function) setOwn() error {
	lock, err := f.registry.Locks.Of(f.Name, f.declared)
	switch {
	case err != nil:
		return err
	case lock != nil:
		f.own.CompareAndSwap(nil, asLocked(lock))
	default:
		f.own.CompareAndSwap(nil, &own{})
	}
	return nil
}

// asLocked is what a lock says.
func asLocked(lock *code.Own) *own {
	if v := variant(lock); v != "" {
		return &own{hash: v + lock.Hash}
	}
	return &own{lock.Hash, &lock.Fingerprint, lock.Same}
}

// variant is what makes the code of a function another in this program than in its
// lock, though their sources are the same: the files that it is in are for some
// builds only, and the lock is for another. It is "" for most functions.
func variant(lock *code.Own) string {
	if !lock.Varies {
		return ""
	}
	var parts []string
	if here := runtime.GOOS + "/" + runtime.GOARCH; here != lock.Platform {
		parts = append(parts, here)
	}
	if parts = append(parts, record.Variant()...); len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ",") + "-"
}

// join makes the origin of what is known of f's own code and of its callees'.
func (f *Function) join() {
	is := &origin{own: *f.own.Load(), Origin: record.Origin{Func: definition(f.Symbol)}}
	is.Code = is.hash
	var all []string
	for _, g := range f.reached() {
		c := callee{f: g, id: g.ID()}
		if known := g.own.Load(); known != nil {
			c.own = *known
		}
		if c.hash != "" {
			is.callees = append(is.callees, c)
			all = append(all, c.id+"="+c.hash)
		}
	}
	is.Callees = strings.Join(all, " ")
	f.origin.Store(is)
}

// Origin is by which code f computes, as far as that is known now, after
// Prepare.
func (f *Function) Origin() record.Origin { return f.origin.Load().Origin }

// Code describes the code of Origin, and Same is what was declared equal to it.
// Code is nil if it is not known.
func (f *Function) Code() (is *code.Fingerprint, same []code.Same) {
	o := f.origin.Load()
	return o.code, o.same
}

// MadeByOther says which code made a result, if it is known to be other code
// than f's: neither the same nor declared equal to it, or that of another
// function under the same name, or with other code of a function that f calls.
func (f *Function) MadeByOther(result record.Record, run string) (by record.Origin, other bool) {
	mine := f.origin.Load()
	if record.HasOrigin(result.Header, run, mine.Origin) {
		return record.Origin{}, false
	}
	by, err := record.OriginOf(result.Header, run)
	return by, err == nil && !f.Accepts(by)
}

// Accepts says whether results of a function with that origin are as good as
// f's own, as far as it is known.
func (f *Function) Accepts(by record.Origin) bool { return f.Differs(by) == nil }

// Difference is a function whose code is another than that of a result.
type Difference struct {
	Function     *Function // the one that was asked for, or one that it calls
	Mine, Theirs string    // hashes; "" if the result is of another Go function under the name
	Code         *code.Fingerprint
}

// Differs says which function's code differs from that of an origin, as far as
// it is known: f's, or that of one that it calls; nil if none does.
func (f *Function) Differs(by record.Origin) *Difference {
	mine := f.origin.Load()
	if by.Code != "" && mine.Code != "" {
		if !mine.accepts(by.Code) {
			return &Difference{f, mine.Code, by.Code, mine.code}
		}
	} else if by.Func != "" && mine.Func != "" && by.Func != mine.Func {
		return &Difference{Function: f}
	}
	if by.Callees == mine.Callees {
		return nil
	}
	for each := range strings.SplitSeq(by.Callees, " ") {
		id, theirs, _ := strings.Cut(each, "=")
		for _, c := range mine.callees {
			if c.id == id && !c.accepts(theirs) {
				return &Difference{c.f, c.hash, theirs, c.code}
			}
		}
	}
	return nil
}

func (o *own) accepts(hash string) bool { return hash == o.hash || code.Accepts(o.same, hash) }

// definition is where the function of a symbol is defined, for every program:
// example.com/forecast.train. Function literals go by what they stand in, since
// the compiler numbers them. It is "" where the symbol does not say it.
func definition(symbol string) string {
	symbol = strings.TrimSuffix(symbol, "-fm") // of a method value
	slash := strings.LastIndexByte(symbol, '/') + 1
	dot := strings.IndexByte(symbol[slash:], '.')
	if dot < 0 {
		return ""
	}
	path, name := symbol[:slash+dot], symbol[slash+dot+1:]
	if literal := strings.Index(name, ".func"); literal >= 0 {
		name = name[:literal]
	}
	if name == "init" || name == "glob." { // a literal in a variable's initialiser
		name = ""
	}
	if path == "main" {
		// Files that were named one by one are a package without a path.
		if path = record.ThisProgram().Path; path == "" || path == "command-line-arguments" {
			return ""
		}
	}
	return strings.TrimSuffix(path+"."+name, ".")
}
