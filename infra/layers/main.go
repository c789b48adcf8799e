// Command layers builds the Lambda layer with WeCom's native library:
//
//	make layer                                  the library of 2020, from a Go module that ships it
//	make layer SDK=sdk_arm_v3_20250205.tgz      the operator's own download
//
// SDK is the .tgz or .zip of the vendor, its unpacked folder, or the library
// itself. Shared libraries that it needs beyond glibc (libz) are put beside it: from
// the same place, from LIBS, or, for this machine's architecture, from this
// machine. What is in the layer, with version and SHA-256, is written into it
// (lib/wecom-sdk.json) and printed. The same files give the same layer, bit by bit.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"wecom-archive/shared/wecom/financesdk"
	"wecom-archive/shared/wecom/financesdk/decrypt"
	"wecom-archive/shared/wecom/financesdk/native"
)

func main() {
	if status, host := financesdk.RunHost(os.Args); host {
		os.Exit(status)
	}
	if status, host := decrypt.RunHost(os.Args); host {
		os.Exit(status)
	}
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "layer:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("layers", flag.ContinueOnError)
	sdk := flags.String("sdk", "", "the vendor's .tgz or .zip, its folder, or "+native.FileName)
	version := flags.String("version", "", "of the library, if the download does not say")
	libs := flags.String("libs", "", "folder with shared libraries that it needs, for its architecture")
	folder := flags.String("o", "bin/layers", "folder of the layer")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *sdk == "" {
		if *sdk, err = fromModule(ctx); err != nil {
			return err
		}
	}
	work, err := os.MkdirTemp("", "wecom-layer")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	layer, err := assemble(*sdk, *libs, *version, work)
	if err != nil {
		return err
	}
	if layer.Loads, err = loads(ctx, layer, work); err != nil {
		return err
	}
	path, err := layer.write(work, *folder)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(layer, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n%s\n", path, text)
	return err
}

// module ships the vendor's library of 2020, for x86-64.
const module = "github.com/silenceper/wechat/v2"

func fromModule(ctx context.Context) (string, error) {
	if out, err := exec.CommandContext(ctx, "go", "mod", "download", module).CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetching %s: %w: %s", module, err, out)
	}
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("finding %s: %w", module, err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "work", "msgaudit", "lib"), nil
}
