package catalog

import (
	"context"
	"errors"
	"fmt"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// Aliases are all of them: by each later userid the one before.
type Aliases map[string]string

// First is the userid that somebody had at first. Conversations are named by it.
func (a Aliases) First(id string) string {
	for range len(a) { // there is no circle, but none shall hang us
		was, ok := a[id]
		if !ok {
			break
		}
		id = was
	}
	return id
}

// Last is the userid that somebody has now.
func (a Aliases) Last(id string) string {
	next := make(map[string]string, len(a))
	for is, was := range a {
		next[was] = is
	}
	for range len(a) {
		is, ok := next[id]
		if !ok {
			break
		}
		id = is
	}
	return id
}

// All are all userids of a person, the first one first.
func (a Aliases) All(id string) []string {
	next := make(map[string]string, len(a))
	for is, was := range a {
		next[was] = is
	}
	all := []string{a.First(id)}
	for range len(a) {
		is, ok := next[all[len(all)-1]]
		if !ok {
			break
		}
		all = append(all, is)
	}
	return all
}

// ErrAlias marks aliases that contradict themselves or others.
var ErrAlias = errors.New("this cannot be an alias")

// with adds an alias: a userid has at most one before and one after it, and none comes
// after itself.
func (a Aliases) with(n archive.Alias) (Aliases, error) {
	switch {
	case n.Was == "" || n.Is == "" || n.Was == n.Is || len(n.Was) > archive.MaxPersonID || len(n.Is) > archive.MaxPersonID:
		return nil, fmt.Errorf("%w: two userids are required", ErrAlias)
	case a[n.Is] == n.Was:
		return a, nil
	case a[n.Is] != "":
		return nil, fmt.Errorf("%w: %s was %s before", ErrAlias, n.Is, a[n.Is])
	case a.Last(n.Was) != n.Was:
		return nil, fmt.Errorf("%w: %s is %s now", ErrAlias, n.Was, a.Last(n.Was))
	case a.First(n.Was) == n.Is:
		return nil, fmt.Errorf("%w: %s came before %s", ErrAlias, n.Is, n.Was)
	}
	more := Aliases{n.Is: n.Was}
	for is, was := range a {
		more[is] = was
	}
	return more, nil
}

const (
	partitionAliases = "aliases"
	sortAliases      = "all"
)

// Aliases reads them all.
func (c *People) Aliases(ctx context.Context) (Aliases, error) {
	a := Aliases{}
	_, err := c.table.Read(ctx, partitionAliases, sortAliases, &a)
	return a, err
}

// PutAlias notes an alias. ErrAlias if it contradicts another one.
func (c *People) PutAlias(ctx context.Context, n archive.Alias) error {
	var refused error
	err := table.Change(ctx, c.table, partitionAliases, sortAliases, func(known Aliases, _ bool) (more Aliases, wanted bool) {
		more, refused = known.with(n)
		return more, len(more) > len(known)
	})
	return errors.Join(err, refused)
}

// CheckAlias is ErrAlias if an alias contradicts another one.
func (c *People) CheckAlias(ctx context.Context, n archive.Alias) error {
	known, err := c.Aliases(ctx)
	if err != nil {
		return err
	}
	_, err = known.with(n)
	return err
}

// SayAlias stores an alias, after a look whether it contradicts another one.
func SayAlias(ctx context.Context, objects store.Objects, people *People, corp string, n archive.Alias) error {
	if err := people.CheckAlias(ctx, n); err != nil {
		return err
	}
	if err := archive.PutEvent(ctx, objects, archive.AliasKey(n), archive.EventAlias, corp, n.At, n); err != nil {
		return err
	}
	return people.PutAlias(ctx, n)
}
