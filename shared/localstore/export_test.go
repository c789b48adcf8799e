package localstore

import "context"

// OpenEscaped opens a folder as on a machine whose file system cannot tell keys
// apart.
func OpenEscaped(ctx context.Context, dir string) (*Folder, error) {
	return openFolder(ctx, dir, sumsFile, names{escape: true})
}

// Steps calls do before and after each step of a put, which fails if do does.
func (f *Folder) Steps(do func(step string) error) {
	f.objects.steps, f.derived.steps = do, do
}

// EscapePart is how a part of a key is named where names are escaped.
func EscapePart(part string) (name, back string, ok bool) {
	name = escapePart(part)
	back, ok = names{escape: true}.part(name)
	return name, back, ok
}
