package doctor

import (
	"context"
	"runtime"
	"slices"
	"strings"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/wecom/financesdk/native"
)

var getLayer = say(
	"Build the layer with `make layer SDK=…` from the vendor's download for this architecture, and deploy it (docs/sdk.md).",
	"用 `make layer SDK=…` 把官方下载的、与本机架构一致的 SDK 打成层并重新部署（见 docs/sdk.md）。")

// Use is what a program needs WeCom's library for.
type Use struct {
	Symbols []string                                     // functions that it binds
	Try     func(ctx context.Context, path string) error // loads the library in a process of its own
}

// Library looks at the file of WeCom's library, and loads it for each use.
func Library(path string, uses ...Use) Check {
	return one(CheckLibrary, func(ctx context.Context, _ archive.Checkup) finding {
		var symbols []string
		for _, u := range uses {
			symbols = append(symbols, u.Symbols...)
		}
		slices.Sort(symbols)
		symbols = slices.Compact(symbols)
		info, err := native.Inspect(path, symbols...)
		if err != nil {
			return act(say("%v.", "企业微信库无法读取：%v。", err), getLayer)
		}
		if len(info.Missing) > 0 {
			return act(say("%s does not export %s.", "%s 缺少导出函数：%s。", path, strings.Join(info.Missing, ", ")), getLayer)
		}
		if info.Arch != runtime.GOARCH || runtime.GOOS != "linux" {
			return act(say("The library is for Linux on %s, this machine is %s on %s.", "该库适用于 Linux %s，而本机为 %s %s。", info.Arch, runtime.GOOS, runtime.GOARCH), getLayer)
		}
		for _, u := range uses {
			if err := u.Try(ctx, path); err != nil {
				return act(say("%v (it needs glibc %s, here is %s).", "%v（需要 glibc %s，本机为 %s）。", err, orNone(info.GLIBC), orNone(native.GLIBC())), getLayer)
			}
		}
		version := info.Version
		if version == "" {
			version = "of unknown version"
		}
		return ok(say(
			"WeCom's library %s (%s, SHA-256 %.12s…) loads; all %d functions are there; it needs glibc %s, here is %s.",
			"企业微信库 %s（%s，SHA-256 %.12s…）可以加载，%d 个函数齐全；需要 glibc %s，本机为 %s。",
			version, info.Arch, info.SHA256, len(symbols), orNone(info.GLIBC), orNone(native.GLIBC())))
	})
}

func orNone(version string) string {
	if version == "" {
		return "unknown"
	}
	return version
}
