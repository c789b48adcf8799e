// Package sdkstandin builds a library in C with the functions of WeCom's
// libWeWorkFinanceSdk_C.so, which speaks to the simulated corp of package
// wecomtest and can be told to crash, hang, leak and lie. Tests with the build tag
// sdk use it (make test-sdk); they need a C compiler. What it does is written at
// the top of c/sdk.c.
package sdkstandin

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"wecom-archive/shared/wecom/financesdk/native"
)

//go:embed c
var source embed.FS

// Build compiles the library into dir with cc and returns its path.
func Build(ctx context.Context, dir string) (path string, err error) {
	if err := os.CopyFS(dir, source); err != nil {
		return "", fmt.Errorf("writing the stand-in's source: %w", err)
	}
	files, err := fs.Glob(source, "c/*.c")
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, native.FileName)
	args := append([]string{"-shared", "-fPIC", "-O2", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror", "-o", path}, files...)
	cmd := exec.CommandContext(ctx, "cc", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compiling the stand-in: %w\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "version.txt"), []byte("standin\n"), 0o600); err != nil {
		return "", err
	}
	return path, nil
}
