package catalog

import (
	"context"
	"fmt"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// SavePublicKey notes a stored key in the index, for those who may not read the
// records.
func (c *Keys) SavePublicKey(ctx context.Context, k archive.PublicKey) error {
	return c.table.Write(ctx, partitionKeys, fmt.Sprintf("public#%013d#%s", k.CreatedAt.UnixMilli(), k.ID), k)
}

// PublicKeys returns the public halves in order of their making.
func (c *Keys) PublicKeys(ctx context.Context, limit int) ([]archive.PublicKey, error) {
	return table.List[archive.PublicKey](ctx, c.table, store.IndexQuery{Partition: partitionKeys, From: "public#", To: "public$", Limit: limit})
}

// Binding returns the id of the key that opens messages of a publickey_ver;
// empty if that is not known yet.
func (c *Keys) Binding(ctx context.Context, version int64) (key string, err error) {
	var b archive.KeyBinding
	_, err = c.table.Read(ctx, partitionKeys, bindingName(version), &b)
	return b.Key, err
}

// Bind records a binding; a later one supersedes it.
func (c *Keys) Bind(ctx context.Context, b archive.KeyBinding) error {
	return c.table.Write(ctx, partitionKeys, bindingName(b.PublicKeyVer), b)
}

// Bindings returns the known bindings in order of their version.
func (c *Keys) Bindings(ctx context.Context, limit int) ([]archive.KeyBinding, error) {
	return table.List[archive.KeyBinding](ctx, c.table, store.IndexQuery{Partition: partitionKeys, From: "binding#", To: "binding$", Limit: limit})
}

func bindingName(version int64) string { return fmt.Sprintf("binding#%020d", version) }
