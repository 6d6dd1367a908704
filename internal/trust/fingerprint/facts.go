package fingerprint

import (
	"crypto/sha256"
	"go/ast"
	"go/token"
	"go/types"
	"go/version"
	"hash"
	"io"
	"strconv"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// facts are what is known of a declaration by itself, whoever reaches it.
type facts struct {
	exact hashed // what it does: constants by value, others by their turn
	shape hashed // what a person wrote: named constants and others by name

	refs    []*decl         // what it refers to, by first use
	listed  []*decl         // constants and aliases: they count by value, and are named if they change
	opaque  map[*pkg]bool   // packages that it uses and that are not followed
	becomes []types.Type    // types of which a value becomes an interface
	callees []code.Callee   // functions of mops that it refers to
	symbol  string          // what the linker finds its body by, if that is elsewhere
	mops    map[string]bool // names that it uses of package mops
	notes   []note          // where it cannot be followed
}

type note struct {
	pos  token.Pos
	text string
}

type hashed [sha256.Size]byte

// facts finds out about a declaration, once.
func (p *Program) facts(d *decl) (*facts, error) {
	if d.known != nil {
		return d.known, nil
	}
	w := &writer{
		program: p, decl: d, exact: sha256.New(), shape: sha256.New(),
		locals: map[types.Object]int{}, refs: map[*decl]int{},
		facts: &facts{opaque: map[*pkg]bool{}, mops: map[string]bool{}},
	}
	if d.pkg.checked != nil {
		w.info = d.pkg.info
	}
	if err := w.declaration(); err != nil {
		return nil, err
	}
	w.facts.exact, w.facts.shape = hashed(w.exact.Sum(nil)), hashed(w.shape.Sum(nil))
	d.known = w.facts
	return d.known, nil
}

// writer writes a declaration in a form that depends on nothing that does not
// count, into two hashes.
type writer struct {
	program *Program
	decl    *decl
	info    *types.Info
	facts   *facts

	exact, shape hash.Hash
	numbers      int // given to locals so far
	locals       map[types.Object]int
	refs         map[*decl]int
}

// both writes words to both hashes, each with its end.
func (w *writer) both(words ...string) {
	write(w.exact, words...)
	write(w.shape, words...)
}

func write(to hash.Hash, words ...string) {
	for _, word := range words {
		io.WriteString(to, strconv.Itoa(len(word)))
		io.WriteString(to, ":")
		io.WriteString(to, word)
	}
}

// declaration writes what w is about.
func (w *writer) declaration() error {
	d := w.decl
	w.both(string(d.kind))
	switch node := d.node.(type) {
	case nil:
		return w.file()
	case *ast.ImportSpec:
		w.blankImport(node)
	case *ast.FuncDecl:
		w.language()
		w.function(node)
	case *ast.TypeSpec:
		w.typeSpec(node)
	case *ast.ValueSpec:
		if d.kind == code.Const {
			w.constDecl(node)
			return nil
		}
		w.language()
		w.variable(node)
		if err := w.embedded(); err != nil {
			return err
		}
	case ast.Expr: // a function literal or an instance of a generic function
		w.language()
		w.node(node)
	}
	for _, c := range Conversions(w.info, d.node) {
		w.facts.becomes = append(w.facts.becomes, c.From)
	}
	w.cgo()
	return nil
}

// language writes which language it is. The release of Go itself counts elsewhere.
func (w *writer) language() {
	if before122(w.info.FileVersions[w.decl.file]) {
		w.both("before go1.22")
	}
}

// before122 says that a language has one variable for all turns of a loop. That
// is all that tells languages apart in code which compiles in both.
func before122(language string) bool { return version.Compare(language, "go1.22") < 0 }

func (w *writer) function(f *ast.FuncDecl) {
	w.signature(w.decl.object.Type().(*types.Signature))
	if f.Body != nil {
		w.node(f.Body)
		return
	}
	w.both("body elsewhere")
	w.bodyElsewhere()
}

func (w *writer) typeSpec(spec *ast.TypeSpec) {
	if named, ok := w.decl.object.Type().(interface{ TypeParams() *types.TypeParamList }); ok {
		w.typeParams(named.TypeParams())
	}
	w.typeExpr(spec.Type)
}

func (w *writer) variable(spec *ast.ValueSpec) {
	w.typ(w.decl.object.Type())
	if spec.Type != nil {
		w.mentions(spec.Type)
	}
	if value, part := initialiser(spec, w.decl.object, w.info); value != nil {
		w.both("=", strconv.Itoa(part))
		w.node(value)
	}
	w.linknamedVariable()
}

// initialiser is the value of a variable, and which part of it if that is a call
// with several results.
func initialiser(spec *ast.ValueSpec, variable types.Object, info *types.Info) (value ast.Expr, part int) {
	for i, name := range spec.Names {
		switch {
		case info.Defs[name] != variable:
		case len(spec.Values) == len(spec.Names):
			return spec.Values[i], 0
		case len(spec.Values) == 1:
			return spec.Values[0], i
		}
	}
	return nil, 0
}

// constDecl is written for its name only: whoever uses the constant has its value.
func (w *writer) constDecl(spec *ast.ValueSpec) {
	constant := w.decl.object.(*types.Const)
	w.typ(constant.Type())
	w.both(constant.Val().ExactString())
	if value, _ := initialiser(spec, constant, w.info); value != nil {
		w.mentions(value)
	}
}

func (w *writer) blankImport(spec *ast.ImportSpec) {
	path, _ := strconv.Unquote(spec.Path.Value)
	w.both(path)
	if to := w.program.packages[w.decl.pkg.resolve(path)]; to != nil && !to.follow {
		w.facts.opaque[to] = true
	}
}

func (w *writer) note(pos token.Pos, text string) {
	w.facts.notes = append(w.facts.notes, note{pos, text})
}

// ref writes that another declaration is meant: by its turn, so that it may get
// another name or place.
func (w *writer) ref(to *decl) {
	number, known := w.refs[to]
	if !known {
		number = len(w.facts.refs)
		w.refs[to] = number
		w.facts.refs = append(w.facts.refs, to)
	}
	write(w.exact, "ref", strconv.Itoa(number))
	write(w.shape, "ref", to.base())
}

// list names a declaration that counts by its value.
func (w *writer) list(d *decl) { w.facts.listed = append(w.facts.listed, d) }

// local writes an object of the declaration's own, by its turn.
func (w *writer) local(o types.Object) {
	number, known := w.locals[o]
	if !known {
		number = w.numbers
		w.bind(o)
	}
	w.both("local", strconv.Itoa(number))
}

// bind gives an object the next number; nil stands for one without a name.
func (w *writer) bind(o types.Object) {
	if o != nil {
		w.locals[o] = w.numbers
	}
	w.numbers++
}
