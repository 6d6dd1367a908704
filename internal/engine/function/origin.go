package function

import (
	"runtime/debug"
	"strings"
	"sync"

	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// origin is what the records of f's runs say of its code.
func (f *Function) setOrigin() (err error) {
	f.lock, err = f.registry.Locks.Of(f.Name, f.Version)
	f.origin = record.Origin{Func: definition(f.Symbol)}
	if f.lock != nil {
		f.origin.Code = f.lock.Hash
	}
	return err
}

// Origin is by which code f computes, as far as that is known, after Prepare.
func (f *Function) Origin() record.Origin { return f.origin }

// Lock is what is locked of f at its version, after Prepare; nil if nothing is.
func (f *Function) Lock() *code.Own { return f.lock }

// MadeByOther says which code made a result, if it is known to be other code
// than f's: neither the same nor declared equal to it, or that of another
// function under the same name.
func (f *Function) MadeByOther(result record.Record, run string) (by record.Origin, other bool) {
	if record.HasOrigin(result.Header, run, f.origin) {
		return record.Origin{}, false
	}
	by, err := record.OriginOf(result.Header, run)
	return by, err == nil && !f.accepts(by)
}

func (f *Function) accepts(by record.Origin) bool {
	switch {
	case by.Code != "" && f.origin.Code != "":
		return by.Code == f.origin.Code || f.lock.Accepts(by.Code)
	case by.Func != "" && f.origin.Func != "":
		return by.Func == f.origin.Func
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
