package purity

import (
	"bytes"
	"compress/flate"
	"encoding/gob"
	"errors"
	"reflect"
	"slices"
)

// Package is what the check has read of a package: plain data, so that one run of
// an analyser can hand it to the next.
type Package struct {
	Path, Name, Module string
	Decls              []*Decl
	Roots              map[string]bool              // declarations that are functions of mops
	Calls              map[string][]string          // of variables with such functions: those that Calls names
	Methods            map[string]map[string]string // of types that become interfaces: the keys of their methods, by name
}

// Encode makes a summary that can be handed on: see [CheckPackage].
func (p *Package) Encode() ([]byte, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err == nil {
		err = errors.Join(gob.NewEncoder(w).Encode(p), w.Close())
	}
	return b.Bytes(), err
}

// decode reads what Encode has written.
func decode(data []byte) (*Package, error) {
	p := &Package{}
	return p, gob.NewDecoder(flate.NewReader(bytes.NewReader(data))).Decode(p)
}

// DeclKind is what kind of declaration one is.
type DeclKind int

const (
	aFunc DeclKind = iota
	aMethod
	aVar
	anInit
)

// Decl is a function, a method, a variable, or the literal that a definition has
// for its function.
type Decl struct {
	Key      string // unique: the path of the package and a name
	Base     string // for people
	Kind     DeclKind
	Exported bool
	At       Place
	Events   []Event
	Result   Origins // of a variable its initial value
	Alias    Origins
	Memo     string // of a variable with a function of mops: its name there
	Same     string // or the variable from which it has the function
}

// Place is a place in the package.
type Place struct {
	File string // without a folder
	Line int
}

// EventKind is what a declaration does at a place.
type EventKind int

const (
	faulty   EventKind = iota // it uses what is never right, or not with these Origins
	refers                    // it calls or names the function To
	reads                     // it reads the variable To
	writes                    // it changes what Origins lead to
	calls                     // it names the function of mops in the variable To, or Name
	dynamic                   // it calls a method Name of an interface
	converts                  // a value of the type To becomes an interface
	unasked                   // an accepting comment gives no reason
)

// Event is one thing that a declaration does.
type Event struct {
	Kind    EventKind
	At      Place
	To      string
	Name    string
	Class   Class
	Origins Origins
	Called  bool     // and not only named
	Args    []Arg    // of a call: the receiver, if there is one, and the arguments
	ByName  bool     // it is right if the name has Origins that are
	Spread  bool     // the function is handed on; what it will get derives from Args[0]
	Once    bool     // it runs once, like an initialiser
	Package string   // of the interface; "" if it has no name
	Methods []string // of the interface
}

// Arg is what a call passes on.
type Arg struct{ Value, Alias Origins }

// Origins tell from what a value is made.
type Origins struct {
	Safe    bool     // something that mops or the function itself has made
	Unknown bool     // something that cannot be told from here
	Params  []int    // parameters of the declaration; the receiver is the first
	Vars    []string // package variables
	Calls   []Result // results of functions of packages that may be own ones
}

// Result is what a call of a function returns.
type Result struct {
	Of   string
	Args []Arg
}

func (o *Origins) add(other Origins) {
	o.Safe = o.Safe || other.Safe
	o.Unknown = o.Unknown || other.Unknown
	for _, p := range other.Params {
		if !slices.Contains(o.Params, p) {
			o.Params = append(o.Params, p)
		}
	}
	for _, v := range other.Vars {
		if !slices.Contains(o.Vars, v) {
			o.Vars = append(o.Vars, v)
		}
	}
	for _, c := range other.Calls {
		if !slices.ContainsFunc(o.Calls, func(known Result) bool { return reflect.DeepEqual(known, c) }) {
			o.Calls = append(o.Calls, c)
		}
	}
}

// Results of calls whose arguments are results of calls are looked at so deep,
// and so many beside each other.
const valueDeep, aliasDeep, mostBeside = 3, 1, 6

// bounded leaves out what is too deep or too much to be looked at, and says so.
func (o Origins) bounded(deep int) Origins {
	if deep == 0 || len(o.Calls) > mostBeside {
		o.Unknown = o.Unknown || len(o.Calls) > 0
		o.Calls = nil
		return o
	}
	calls := slices.Clone(o.Calls)
	for i, c := range calls {
		calls[i].Args = slices.Clone(c.Args)
		for j, a := range c.Args {
			calls[i].Args[j] = Arg{a.Value.bounded(deep - 1), a.Alias.bounded(deep - 1)}
		}
	}
	o.Calls = calls
	return o
}

func (o Origins) empty() bool {
	return !o.Safe && !o.Unknown && len(o.Params)+len(o.Vars)+len(o.Calls) == 0
}
