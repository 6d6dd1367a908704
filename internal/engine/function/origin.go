package function

import (
	"runtime/debug"
	"strings"
	"sync"

	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// origin is by which code a function computes, as far as that is known. It is
// replaced as a whole: while a program runs, its source may turn out to differ
// from what was locked.
type origin struct {
	record.Origin
	code *code.Fingerprint // nil if it is not known
	same []code.Same       // what was declared equal to it
}

// setOrigin sets what the lock says of f, unless more is known already.
func (f *Function) setOrigin() error {
	own, err := f.registry.Locks.Of(f.Name, f.declared)
	if err != nil || f.origin.Load() != nil {
		return err
	}
	is := &origin{Origin: record.Origin{Func: definition(f.Symbol)}}
	if own != nil {
		is.Code, is.code, is.same = own.Hash, &own.Fingerprint, own.Same
	}
	f.origin.Store(is)
	return nil
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
// function under the same name.
func (f *Function) MadeByOther(result record.Record, run string) (by record.Origin, other bool) {
	mine := f.origin.Load()
	if record.HasOrigin(result.Header, run, mine.Origin) {
		return record.Origin{}, false
	}
	by, err := record.OriginOf(result.Header, run)
	return by, err == nil && !mine.accepts(by)
}

// Accepts says whether results of a function with that origin are as good as
// f's own, as far as it is known.
func (f *Function) Accepts(by record.Origin) bool { return f.origin.Load().accepts(by) }

func (o *origin) accepts(by record.Origin) bool {
	switch {
	case by.Code != "" && o.Code != "":
		return by.Code == o.Code || code.Accepts(o.same, by.Code)
	case by.Func != "" && o.Func != "":
		return by.Func == o.Func
	}
	return true
}

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
		if path = mainPackage(); path == "" {
			return ""
		}
	}
	return strings.TrimSuffix(path+"."+name, ".")
}

// mainPackage is the path of the program's main package; "" if its files were
// named one by one, which gives it none.
var mainPackage = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Path == "command-line-arguments" {
		return ""
	}
	return info.Path
})
