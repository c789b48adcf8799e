package doctor

import (
	"context"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/program"
)

// Version looks whether the source of the program that makes the checkup can be found
// again. compliance says whether what it stores nobody can take back: there a program
// of unknown source is wrong, elsewhere it may be tried out; nil: it is tried out.
func Version(compliance func(ctx context.Context) (bool, error)) Check {
	return one(CheckVersion, func(ctx context.Context, before archive.Checkup) finding {
		version := before.Program
		if program.Traceable(version) {
			return ok(say("The program is %s.", "程序版本 %s。", version))
		}
		found := say("The program is %s: it was built from changed or unknown source.", "程序版本 %s：由有改动或来源不明的源码构建。", orNone(version))
		remedy := say(
			"Commit what `git status` shows, build in a clone, and deploy: what is stored names the version that stored it. Capturing goes on meanwhile.",
			"请提交 `git status` 显示的改动，在克隆的仓库中构建并重新部署：存档内容会记下写入它的版本。在此期间存档照常进行。")
		if compliance == nil {
			return look(found, remedy)
		}
		locked, err := compliance(ctx)
		if err != nil || !locked { // the line of the bucket says that it cannot be told
			return look(found, remedy)
		}
		return act(found, remedy)
	})
}
