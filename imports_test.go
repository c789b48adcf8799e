package wecomarchive_test

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "wecom-archive/"

// A wall is what must not be reachable from somewhere, and why.
type wall struct {
	from   string   // package and what lies below it, but for other walls
	banned []string // packages and what lies below them; of ours without the module
	but    []string // of those, what is allowed
	why    string
}

// Names of parts that several walls have.
const (
	parquet    = "github.com/parquet-go"
	embeddedS3 = "github.com/versity"
	simulator  = "shared/wecom/wecomtest"
	ours       = "" // any package of the module
)

// readsContent are the rooms that open what people said.
var readsContent = []string{
	"shared/keyring", "shared/decode", "shared/reading", "shared/segment", "shared/compaction", "shared/transcript", "shared/search", "shared/extract",
	"shared/show", "shared/api", "shared/pages", "shared/viewer",
}

// faces are what serves people.
var faces = []string{"shared/show", "shared/api", "shared/pages", "shared/viewer", "shared/signin"}

// stages are what works on its own, each on ports.
var stages = []string{
	"shared/capture", "shared/decode", "shared/mediafetch", "shared/directory", "shared/callback", "shared/compact", "shared/reparse", "shared/rebuild", "shared/doctor",
}

// walls are the directions of the arrows between the rooms (CONTRIBUTING.md).
func walls() []wall {
	const (
		ground     = "the ground floor: it knows nothing of what stands on it"
		outside    = "it talks to the outside, so it must not be able to read"
		adapter    = "a technology implements ports, and knows nothing of what goes through them"
		small      = "Lambda binaries import only what they run, and who cannot read messages has no use for Parquet"
		binding    = "it knows WeCom and nothing of the archive, so that it can be used without"
		oneMachine = "stands in for AWS on one machine; Lambda binaries import only what they run"
	)
	all := []wall{
		// The ground floor, and what stands on it, in order.
		{"shared/store", []string{ours}, nil, ground},
		{"shared/chat", []string{ours}, nil, ground},
		{"shared/person", []string{ours}, nil, ground},
		{"shared/guard", []string{ours}, nil, "it stands before any face, and before signing in"},
		{"shared/archive", []string{ours, parquet}, []string{"shared/store", "shared/chat"}, "the locked formats know no index, no Parquet, and nobody who writes them"},
		{"shared/segment", []string{ours}, []string{"shared/archive", "shared/store", "shared/chat"}, "a format rests on formats"},
		{"shared/catalog/table", []string{ours}, []string{"shared/store"}, "the kit of the index knows none of its subjects"},
		{"shared/catalog", []string{ours, parquet}, []string{"shared/archive", "shared/store", "shared/chat"}, "the index is written by who has no use for Parquet, and knows no stage"},
		{"shared/compaction", []string{ours}, []string{"shared/catalog", "shared/segment", "shared/archive", "shared/store", "shared/chat"}, "a format and its items, apart from who makes them"},
		{"shared/damage", []string{ours, parquet}, []string{"shared/catalog/table", "shared/archive", "shared/store", "shared/chat"}, "whoever notices damage may write it down, also who must not read"},
		{"shared/scrub", []string{ours, parquet}, []string{"shared/catalog", "shared/damage", "shared/archive", "shared/store", "shared/chat", "shared/environment"}, "the media function scrubs files, and must not be able to read messages"},
		{"shared/health", []string{ours, parquet}, []string{"shared/catalog", "shared/damage", "shared/archive", "shared/store", "shared/chat", "shared/plural"}, "it judges facts, whoever learned them"},
		{"shared/wecom", []string{ours}, []string{"shared/chat"}, "messages and errors of WeCom know nothing of the archive"},
		{"shared/wecom/financesdk", []string{ours}, []string{"shared/wecom", "shared/chat", "shared/clock"}, binding},
		{"shared/wecom/companion", []string{ours}, []string{"shared/wecom", "shared/chat", "shared/clock"}, binding},
		{"shared/query", []string{ours}, []string{"shared/archive", "shared/store", "shared/chat"}, "what matches is decided without reading anything"},

		// Technologies.
		{"shared/awsstore", []string{ours}, []string{"shared/store", "shared/awsevents", "shared/clock"}, adapter},
		{"shared/localstore", []string{ours}, []string{"shared/store", "shared/clock"}, adapter},
		{"shared/lambdastart", []string{ours}, []string{"shared/awsstore", "shared/store", "shared/awsevents", "shared/clock"}, "every function starts with it, so it brings none of them what another one is for"},

		// Faces.
		{"shared/show", []string{"shared/api", "shared/pages", "shared/viewer", "shared/signin", "shared/keyring", "shared/decode", "shared/capture", "github.com/danielgtaylor/huma"}, nil,
			"what may be seen is decided apart from how, and opens without keys"},
		{"shared/api", []string{"shared/pages", "shared/viewer", "shared/signin", "shared/keyring", "shared/decode", "shared/capture"}, nil, "a face on what is shown, and on nothing else"},
		{"shared/pages", []string{"shared/api", "shared/viewer", "shared/signin", "shared/keyring", "shared/decode", "shared/capture"}, nil, "a face on what is shown, and on nothing else"},
		{"shared/viewer", []string{"shared/signin", "shared/keyring", "shared/decode", "shared/capture"}, nil, "admin serves what is archived; it has no business with keys or pulling"},

		// Functions that may read.
		{"functions/archiver", append([]string{"shared/capture"}, faces...), nil, "the archiver can read, so it must not pull, nor serve"},
		{"functions/admin", []string{"shared/keyring", "shared/decode", "shared/capture"}, nil, "admin serves what is archived; it has no business with keys or pulling"},
	}
	for _, from := range []string{"shared/compact", "shared/reparse", "functions/compactor"} {
		all = append(all, wall{from, []string{"shared/keyring", "shared/decode"}, nil, "compacting needs no key: it reads what is readable"})
	}
	for _, from := range []string{
		"shared/capture", "shared/mediafetch", "shared/directory", "shared/callback", "shared/doctor",
		"functions/puller", "functions/media", "functions/directory", "functions/callback",
	} {
		all = append(all, wall{from, readsContent, nil, outside}, wall{from, []string{parquet}, nil, small})
	}
	for _, from := range []string{"shared/signin", "functions/signin"} {
		all = append(all, wall{from, append([]string{"shared/consent", "shared/access"}, readsContent...), nil, "who lets people in must not be able to show them anything"}, wall{from, []string{parquet}, nil, small})
	}
	for _, from := range stages {
		all = append(all, wall{from, append([]string{"shared/awsstore", "shared/localstore", "infra"}, faces...), nil, "a stage works on ports, and serves nobody"})
	}
	return append(all,
		wall{"functions", []string{"shared/localstore", "infra", simulator, "shared/store/storetest", embeddedS3, "modernc.org", "testing"}, nil, oneMachine},
		wall{"cmd/wecom-archive", []string{embeddedS3, "infra/aws", "testing"}, nil, "the command imports private keys: it carries no gateway and none of its clients"},
	)
}

// TestImports holds the walls between the rooms.
func TestImports(t *testing.T) {
	for _, w := range walls() {
		found := 0
		for _, from := range below(t, w.from) {
			found++
			for _, dep := range deps(t, from) {
				if dep = strings.TrimPrefix(dep, module); w.bans(dep) {
					t.Errorf("%s imports %s: %s", from, dep, w.why)
				}
			}
		}
		if found == 0 {
			t.Errorf("there is no %s", w.from)
		}
		for _, named := range append(slices.Clone(w.banned), w.but...) {
			if named != ours && !reached(t, named) {
				t.Errorf("the wall of %s names %s, which nothing imports: it would hold nothing back", w.from, named)
			}
		}
	}
}

// reached says whether there is a package of this name, or one below it.
func reached(t *testing.T, name string) bool {
	t.Helper()
	all, err := graph()
	if err != nil {
		t.Fatal(err)
	}
	for path := range all {
		if path = strings.TrimPrefix(path, module); path == name || strings.HasPrefix(path, name+"/") {
			return true
		}
	}
	return false
}

// TestWallsBite: what a wall bans is seen wherever it is imported, directly or not, and
// what it lets through is not.
func TestWallsBite(t *testing.T) {
	for _, w := range walls() {
		for _, banned := range w.banned {
			if banned == ours {
				banned = "infra/local"
			}
			if !w.bans(banned) || !w.bans(banned+"/below") {
				t.Errorf("the wall of %s lets %s through", w.from, banned)
			}
		}
		for _, allowed := range w.but {
			if w.bans(allowed) {
				t.Errorf("the wall of %s bans %s, which it allows", w.from, allowed)
			}
		}
	}
}

func (w wall) bans(dep string) bool {
	in := func(list []string) bool {
		return slices.ContainsFunc(list, func(p string) bool {
			if p == ours {
				return strings.HasPrefix(dep, "shared/") || strings.HasPrefix(dep, "functions/") || strings.HasPrefix(dep, "infra/") || strings.HasPrefix(dep, "cmd/")
			}
			return dep == p || strings.HasPrefix(dep, p+"/")
		})
	}
	return !in([]string{w.from}) && in(w.banned) && !in(w.but)
}

// below are the package of a wall and those below it that have no wall of their own.
func below(t *testing.T, from string) (folders []string) {
	t.Helper()
	for path := range imports(t) {
		folder := strings.TrimPrefix(path, module)
		nearest := ""
		for _, w := range walls() {
			if (folder == w.from || strings.HasPrefix(folder, w.from+"/")) && len(w.from) > len(nearest) {
				nearest = w.from
			}
		}
		if folder == from || nearest == from || from == "functions" && strings.HasPrefix(folder, "functions/") {
			folders = append(folders, folder)
		}
	}
	return folders
}

// TestOnlyLocalSimulates: the simulated corp is for the demonstration on one machine and
// for tools that measure.
func TestOnlyLocalSimulates(t *testing.T) {
	for from, deps := range imports(t) {
		from = strings.TrimPrefix(from, module)
		if slices.Contains(deps, module+simulator) && from != "infra/local" && !strings.HasPrefix(from, "infra/bench/") && from != simulator {
			t.Errorf("%s imports %s: made-up messages stay out of what companies run", from, simulator)
		}
	}
}

// TestDecryptingStaysApart checks which half of WeCom's library is out of whose reach.
func TestDecryptingStaysApart(t *testing.T) {
	const (
		fetch     = "shared/wecom/financesdk"
		decrypt   = "shared/wecom/financesdk/decrypt"
		native    = "shared/wecom/financesdk/native"
		noReading = "DecryptData opens messages: who talks to the outside must not be able to call it"
		noWayOut  = "who opens messages has no need to fetch"
	)
	banned := map[string]map[string]string{
		fetch: {decrypt: noReading}, decrypt: {fetch: noWayOut}, "functions/archiver": {fetch: noWayOut},
		native: {fetch: "what both share leads to neither", decrypt: "what both share leads to neither"},
	}
	for _, from := range []string{
		"shared/capture", "shared/mediafetch", "shared/directory", "shared/callback", "shared/signin", "shared/doctor",
		"functions/puller", "functions/media", "functions/directory", "functions/callback", "functions/signin",
	} {
		banned[from] = map[string]string{decrypt: noReading}
	}
	for from, banned := range banned {
		for _, dep := range deps(t, from) {
			if why, ok := banned[strings.TrimPrefix(dep, module)]; ok {
				t.Errorf("%s imports %s: %s", from, dep, why)
			}
		}
	}
}

// TestNoCgo checks that nothing needs a C compiler: with cgo switched on, no
// package of the program has a C file or imports "C", outside the standard
// library. purego may: it does so only with cgo on, as under the race detector.
func TestNoCgo(t *testing.T) {
	out := goList(t, "-deps", "-f", "{{if and .CgoFiles (not .Standard)}}{{.ImportPath}}{{end}}", "./...")
	for _, path := range strings.Fields(out) {
		if strings.HasPrefix(path, "github.com/ebitengine/purego/") {
			continue
		}
		t.Errorf("%s uses cgo: binaries must be plain Go, to build for both architectures anywhere", path)
	}
}

// graph has, by path, what each package that the module reaches imports.
var graph = sync.OnceValues(func() (map[string][]string, error) {
	cmd := exec.Command("go", "list", "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=1")
	out, err := cmd.Output()
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		if path := strings.Fields(line); len(path) > 0 {
			all[path[0]] = path[1:]
		}
	}
	return all, err
})

// imports has what each package of the module imports itself.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	all, err := graph()
	if err != nil {
		t.Fatal(err)
	}
	ours := map[string][]string{}
	for path, deps := range all {
		if strings.HasPrefix(path, module) {
			ours[path] = deps
		}
	}
	return ours
}

// deps are all packages that a folder's package reaches.
func deps(t *testing.T, folder string) []string {
	t.Helper()
	all, err := graph()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := all[module+folder]; !ok {
		t.Fatalf("there is no package %s", folder)
	}
	seen := map[string]bool{}
	for next := []string{module + folder}; len(next) > 0; next = next[1:] {
		for _, dep := range all[next[0]] {
			if !seen[dep] {
				seen[dep] = true
				next = append(next, dep)
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func goList(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return string(out)
}
