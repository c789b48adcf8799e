package wecomarchive_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "wecom-archive/"

// TestImports checks what the design separates (design §1, §5.7, §8): which
// packages must not be reachable from where, and why.
func TestImports(t *testing.T) {
	const localOnly = "stands in for AWS on one machine; Lambda binaries import only what they run"
	type rule struct {
		from   string
		banned []string
		why    string
	}
	rules := []rule{
		{"shared/store", []string{module}, "the ground floor: ports know nothing of what goes through them"},
		{"shared/chat", []string{module}, "ids and words depend on nobody"},
		{"shared/person", []string{module}, "who asks depends on nobody"},
		{"shared/wecom", []string{module}, "messages and errors of WeCom know nothing of the archive"},
		{"shared/capture", []string{module + "shared/keyring", module + "shared/decode"},
			"the puller talks to the outside, so it must not be able to read"},
		{"shared/viewer", []string{module + "shared/keyring", module + "shared/decode", module + "shared/capture"},
			"admin serves what is archived; it has no business with keys or pulling"},
		{"shared/awsstore", []string{module + "shared/localstore", module + "infra", module + "shared/capture", module + "shared/decode", module + "shared/viewer"},
			"adapters import the domain only"},
		{"shared/localstore", []string{module + "shared/awsstore", module + "infra", module + "shared/capture", module + "shared/decode", module + "shared/viewer"},
			"adapters import the domain only"},
		{"shared/lambdastart", []string{module + "shared/keyring", module + "shared/decode", module + "shared/metrics", module + "shared/viewer", module + "shared/wecom"},
			"every function starts with it, so it brings none of them what another one is for"},
		{"shared/decode", []string{module + "shared/capture", module + "shared/awsstore", module + "shared/localstore", module + "shared/viewer"},
			"the archiver's stage works on ports and talks to nobody"},
		{"shared/rebuild", []string{module + "shared/capture", module + "shared/awsstore", module + "shared/localstore", module + "shared/viewer", module + "infra"},
			"what rebuilds works on ports, on every adapter"},
	}
	rules = append(rules, []rule{
		{"shared/wecom/financesdk", []string{module + "shared/archive", module + "shared/capture", module + "shared/decode", module + "shared/keyring", module + "infra"},
			"the binding knows WeCom and nothing of the archive, so that it can be used without"},
		{"functions/puller", []string{module + "shared/keyring", module + "shared/decode", module + "shared/viewer"},
			"the puller talks to the outside, so it must not be able to read"},
		{"shared/mediafetch", []string{module + "shared/keyring", module + "shared/decode", module + "shared/capture", module + "shared/awsstore", module + "shared/localstore", module + "shared/viewer"},
			"the media stage talks to the outside, so it must not be able to read; it works on ports"},
		{"functions/media", []string{module + "shared/keyring", module + "shared/decode", module + "shared/viewer", module + "shared/capture"},
			"the media stage talks to the outside, so it must not be able to read"},
		{"shared/wecom/companion", []string{module + "shared/archive", module + "shared/capture", module + "shared/decode", module + "shared/keyring", module + "infra"},
			"the client knows WeCom and nothing of the archive, so that it can be used without"},
		{"shared/directory", []string{module + "shared/keyring", module + "shared/decode", module + "shared/reading", module + "shared/transcript", module + "shared/viewer"},
			"the directory talks to the outside, so it must not be able to read"},
		{"functions/directory", []string{module + "shared/keyring", module + "shared/decode", module + "shared/reading", module + "shared/transcript", module + "shared/viewer"},
			"the directory talks to the outside, so it must not be able to read"},
		{"shared/callback", []string{module + "shared/keyring", module + "shared/decode", module + "shared/reading", module + "shared/transcript", module + "shared/viewer", module + "shared/awsstore", module + "shared/localstore"},
			"whom anybody may call must not be able to read; it works on ports"},
		{"functions/callback", []string{module + "shared/keyring", module + "shared/decode", module + "shared/reading", module + "shared/transcript", module + "shared/viewer"},
			"whom anybody may call must not be able to read"},
		{"shared/doctor", []string{module + "shared/keyring", module + "shared/decode", module + "shared/viewer", module + "shared/awsstore", module + "shared/localstore"},
			"the puller runs it, so it must not be able to read; it works on ports"},
		{"functions/archiver", []string{module + "shared/capture", module + "shared/viewer"},
			"the archiver can read, so it must not pull"},
	}...)
	for _, f := range functions(t) {
		rules = append(rules, rule{f, []string{module + "shared/localstore", module + "infra", module + "shared/wecom/wecomtest", module + "shared/store/storetest", "github.com/versity", "modernc.org", "testing"}, localOnly})
	}
	for _, rule := range rules {
		for _, dep := range deps(t, rule.from) {
			for _, banned := range rule.banned {
				if dep == module+rule.from || strings.HasPrefix(dep, module+rule.from+"/") {
					continue
				}
				if dep == banned || strings.HasPrefix(dep, strings.TrimSuffix(banned, "/")+"/") {
					t.Errorf("%s imports %s: %s", rule.from, dep, rule.why)
				}
			}
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

func functions(t *testing.T) []string {
	t.Helper()
	mains, err := filepath.Glob("functions/*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range mains {
		mains[i] = filepath.ToSlash(filepath.Dir(m))
	}
	return mains
}

func deps(t *testing.T, folder string) []string {
	t.Helper()
	return strings.Fields(goList(t, "-deps", "./"+folder))
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
