package wecomarchive_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// limits are how large parts of the program may become, each with its reason.
var limits = map[string]struct {
	most int
	why  string
}{
	"package":  {4000, "lines of code; beyond that nobody holds a package in mind, and what it hides from others hides less and less"},
	"type":     {30, "exported methods; whoever takes more takes several things, and a double of it cannot be written"},
	"function": {80, "lines; it must be seen whole to be believed"},
	"file":     {400, "lines; it must be read whole before it is changed"},
}

// TestSizes holds product code, everywhere in the repository, to the limits.
func TestSizes(t *testing.T) {
	sizes := measure(t, ".")
	for _, part := range slices.Sorted(maps.Keys(sizes)) {
		kind, _, _ := strings.Cut(part, " ")
		if limit, size := limits[kind], sizes[part]; size > limit.most {
			t.Errorf("%s has %d, at most %d %s", part, size, limit.most, limit.why)
		}
	}
}

// measure finds the sizes below a folder of all that is limited, by kind and name.
func measure(t *testing.T, root string) map[string]int {
	t.Helper()
	m := newMeasure()
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if file != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules" || forTests(d.Name())) {
				return fs.SkipDir
			}
			return nil
		case !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return m.file(filepath.ToSlash(file), source)
	})
	if err != nil {
		t.Fatal(err)
	}
	return m.all()
}

// forTests says whether a folder serves tests only: contract suites, doubles, and the
// simulator wecomtest.
func forTests(folder string) bool { return strings.HasSuffix(folder, "test") }

// measurer collects sizes, file by file. Types are by folder and name.
type measurer struct {
	sizes   map[string]int
	methods map[string]map[string]bool // exported, that a type declares
	embeds  map[string][]string        // types that a type has the methods of
}

func newMeasure() *measurer {
	return &measurer{map[string]int{}, map[string]map[string]bool{}, map[string][]string{}}
}

func (m *measurer) file(name string, source []byte) error {
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	folder := path.Dir(name)
	m.sizes["package "+folder] += codeLines(source)
	m.sizes["file "+name] = files.File(parsed.FileStart).LineCount()
	// In which folder a type stands that an expression names.
	folders := map[string]string{"": folder}
	for _, i := range parsed.Imports {
		imported := strings.Trim(i.Path.Value, "\"`")
		called := path.Base(imported)
		if i.Name != nil {
			called = i.Name.Name
		}
		folders[called] = strings.TrimPrefix(imported, module)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		function := ""
		switch n := n.(type) {
		case *ast.FuncDecl:
			function = n.Name.Name
			if n.Recv != nil && len(n.Recv.List) == 1 {
				of := named(n.Recv.List[0].Type, folders)
				m.declares(of, n.Name)
				function = path.Base(of) + "." + function
			}
		case *ast.FuncLit:
			function = fmt.Sprintf("a literal in line %d", files.Position(n.Pos()).Line)
		case *ast.TypeSpec:
			m.typeSpec(folder+"."+n.Name.Name, n.Type, folders)
			return true
		default:
			return true
		}
		lines := files.Position(n.End()).Line - files.Position(n.Pos()).Line + 1
		part := "function " + name + " of " + function
		m.sizes[part] = max(m.sizes[part], lines)
		return true
	})
	return nil
}

func (m *measurer) declares(of string, method *ast.Ident) {
	if !method.IsExported() {
		return
	}
	if m.methods[of] == nil {
		m.methods[of] = map[string]bool{}
	}
	m.methods[of][method.Name] = true
}

// typeSpec notes what methods a type has without declaring them.
func (m *measurer) typeSpec(of string, is ast.Expr, folders map[string]string) {
	var fields *ast.FieldList
	switch is := is.(type) {
	case *ast.StructType:
		fields = is.Fields
	case *ast.InterfaceType:
		fields = is.Methods
		for _, f := range fields.List {
			for _, name := range f.Names {
				m.declares(of, name)
			}
		}
	default:
		return
	}
	for _, f := range fields.List {
		if len(f.Names) == 0 {
			m.embeds[of] = append(m.embeds[of], named(f.Type, folders))
		}
	}
}

// named is the type that an expression names, by folder and name.
func named(e ast.Expr, folders map[string]string) string {
	switch e := e.(type) {
	case *ast.Ident:
		return folders[""] + "." + e.Name
	case *ast.SelectorExpr:
		if of, ok := e.X.(*ast.Ident); ok {
			return folders[of.Name] + "." + e.Sel.Name
		}
	case *ast.StarExpr:
		return named(e.X, folders)
	case *ast.ParenExpr:
		return named(e.X, folders)
	case *ast.IndexExpr:
		return named(e.X, folders)
	case *ast.IndexListExpr:
		return named(e.X, folders)
	}
	return ""
}

// all is what was collected. A type has the methods of those that it embeds, too:
// else it would be divided in name only.
func (m *measurer) all() map[string]int {
	for of := range maps.Keys(m.embeds) {
		m.sizes["type "+of] = 0
	}
	for of := range m.methods {
		m.sizes["type "+of] = 0
	}
	for part := range m.sizes {
		if of, ok := strings.CutPrefix(part, "type "); ok {
			has := map[string]bool{}
			m.collect(of, has, map[string]bool{})
			m.sizes[part] = len(has)
		}
	}
	return m.sizes
}

func (m *measurer) collect(of string, has, seen map[string]bool) {
	if seen[of] {
		return
	}
	seen[of] = true
	maps.Copy(has, m.methods[of])
	for _, embedded := range m.embeds[of] {
		m.collect(embedded, has, seen)
	}
}

// codeLines counts the lines that hold more than blanks and comments.
func codeLines(source []byte) int {
	files := token.NewFileSet()
	file := files.AddFile("", -1, len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, 0) // comments are passed over
	lines, last := 0, 0
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return lines
		}
		if tok == token.SEMICOLON && text == "\n" {
			continue // put in by the scanner
		}
		first := file.Line(pos)
		end := first + strings.Count(cmp.Or(text, tok.String()), "\n") // raw strings have several
		lines += end - max(first, last+1) + 1
		last = end
	}
}

// TestMeasure: what is counted, and what is not.
func TestMeasure(t *testing.T) {
	m := newMeasure()
	for name, source := range map[string]string{
		"a/one.go": "// Package a.\npackage a\n\nimport renamed \"wecom-archive/b\"\n\n/* a\n   comment */\ntype T struct {\n\trenamed.E // has two\n\t*U\n}\n",
		"a/two.go": "package a\n\nvar s = `raw\n\nstring` + `x`; var u = 1\n\nfunc (t *T) Own() {\n\t_ = func() {\n\t\t// no code\n\t}\n}\n\nfunc (T) hidden() {}\n\ntype U[P any] struct{}\n\nfunc (U[P]) Own() {}\n\nfunc (u *U[P]) Of() {}\n",
		"b/one.go": "package b\n\ntype E interface {\n\tOne()\n\tTwo()\n}\n",
	} {
		if err := m.file(name, []byte(source)); err != nil {
			t.Fatal(err)
		}
	}
	got := m.all()
	for part, want := range map[string]int{
		"package a": 6 + 12, "package b": 5, "file a/one.go": 11, "file a/two.go": 19, "type b.E": 2, "type a.U": 2, "type a.T": 4,
		"function a/two.go of a.T.Own": 5, "function a/two.go of a literal in line 8": 3, "function a/two.go of a.T.hidden": 1,
	} {
		if size, ok := got[part]; !ok || size != want {
			t.Errorf("%s: %d, want %d", part, size, want)
		}
	}
}
