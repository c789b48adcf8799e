package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBuildForProduction: the targets that `sam build` calls make no function for
// production of which nobody can tell the source.
func TestBuildForProduction(t *testing.T) {
	build := []string{"make", "build-Signin"}
	for _, test := range []struct {
		name    string
		spoil   func(t *testing.T, dir string)
		command []string
		env     []string
		ok      bool
	}{
		{"clean", nil, build, nil, true},
		{"clean, for production", nil, build, []string{"ENV=production"}, true},
		{"changed", change, build, nil, false},
		{"changed, for production", change, build, []string{"ENV=production"}, false},
		{"changed, for staging", change, build, []string{"ENV=staging"}, true},
		{"changed, and known", change, build, []string{"ENV=production", "DIRTY=1"}, true},
		{"not in git", forget, build, nil, false},
		{"told not to look", nil, build, []string{"GOFLAGS=-buildvcs=false"}, false},
		{"deployed to staging", change, []string{"make", "deploy"}, nil, true},
		{"deployed to production", change, []string{"make", "deploy", "ENV=production"}, nil, false},
		{"deployed to production in China", change, []string{"make", "deploy", "ENV=production-cn"}, nil, false},
		{"deployed to production, and known", change, []string{"make", "deploy", "ENV=production", "DIRTY=1"}, nil, true},
		{"deployed to production, clean", nil, []string{"make", "deploy", "ENV=production"}, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := clone(t)
			if test.spoil != nil {
				test.spoil(t, dir)
			}
			out, err := run(t, dir, test.env, test.command...)
			if (err == nil) != test.ok {
				t.Errorf("%v: %s", err, out)
			}
			if !test.ok && !strings.Contains(out, "changed or unknown source") {
				t.Errorf("it does not say why: %s", out)
			}
		})
	}
}

func change(t *testing.T, dir string) {
	write(t, filepath.Join(dir, "functions", "signin", "main.go"), "package main\n\nfunc main() { println() }\n")
}

func forget(t *testing.T, dir string) {
	if err := os.RemoveAll(filepath.Join(dir, ".git")); err != nil {
		t.Fatal(err)
	}
}

// clone makes a repository with the project's Makefile, this command, and a function
// that does nothing. bin/sam stands in for SAM's program.
func clone(t *testing.T) string {
	t.Helper()
	root, dir := filepath.Join("..", ".."), t.TempDir()
	for _, name := range []string{"Makefile", ".gitignore", "infra/traceable/main.go", "shared/program/program.go"} {
		copyFile(t, filepath.Join(root, name), filepath.Join(dir, name))
	}
	write(t, filepath.Join(dir, "go.mod"), "module wecom-archive\n\ngo 1.26.0\n")
	write(t, filepath.Join(dir, "functions", "signin", "main.go"), "package main\n\nfunc main() {}\n")
	write(t, filepath.Join(dir, "bin", "sam"), "#!/bin/sh\ncase $1 in build) exec make build-Signin ;; esac\n")
	for _, command := range [][]string{
		{"git", "init", "-q"}, {"git", "add", "-A"},
		{"git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "all"},
	} {
		if out, err := run(t, dir, nil, command...); err != nil {
			t.Fatalf("%v: %v: %s", command, err, out)
		}
	}
	return dir
}

// run runs a command with none of this shell's settings of make and Go's builds.
func run(t *testing.T, dir string, env []string, command ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = dir
	for _, variable := range os.Environ() {
		switch name, _, _ := strings.Cut(variable, "="); name {
		case "ENV", "DIRTY", "GOFLAGS", "MAKEFLAGS", "MFLAGS", "PATH":
		default:
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, "GOENV=off", "PATH="+filepath.Join(dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"), "ARTIFACTS_DIR="+filepath.Join(dir, ".aws-sam", "build"))
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, string(text))
}
