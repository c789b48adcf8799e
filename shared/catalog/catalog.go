package catalog

import (
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// Catalog is what the index holds, by name. docs/format.md lists its partitions
// and sort keys; nothing else knows them.
type Catalog struct {
	Conversations *Conversations
	People        *People
	Consents      *Consents
	Media         *Media
	Pages         *Pages
	Journal       *Journal
	Keys          *Keys

	Table table.Table // what rooms above this one keep their own items in
}

// New reads and writes the catalog in index.
func New(index store.Index) *Catalog {
	t := table.Table{Index: index}
	return &Catalog{
		Conversations: &Conversations{t}, People: &People{t}, Consents: &Consents{t}, Media: &Media{t},
		Pages: &Pages{t}, Journal: &Journal{t}, Keys: &Keys{t}, Table: t,
	}
}

// Conversations is where their messages lie, who talked in them on which days, what was
// recalled, and which parts of segments are in no compaction yet.
type Conversations struct{ table table.Table }

// People are those who were seen, people and rooms: where they talk, what they are called,
// who has a seat, which userids are one person's.
type People struct{ table table.Table }

// Consents is who agreed to being archived.
type Consents struct{ table table.Table }

// Media is what became of files.
type Media struct{ table table.Table }

// Pages is how far pages are: the cursor, leases, what waits, what could not be read, and
// what the puller knows of the stream.
type Pages struct{ table table.Table }

// Journal is what happened: runs, gaps, incidents, callbacks, checkups, and how far a
// rebuild is.
type Journal struct{ table table.Table }

// Keys are which of our keys opens which publickey_ver, and the public halves.
type Keys struct{ table table.Table }

// Partitions.
const (
	partitionPuller     = "puller" // cursor, state, lease
	partitionPages      = "pages"
	partitionPending    = "pages:pending"
	partitionQuarantine = "quarantine"
	partitionRuns       = "runs#" // + stage
	partitionGaps       = "gaps"
	partitionIncidents  = "incidents"
	partitionKeys       = "keys"
	partitionConv       = "conversation#" // + conversation id
	partitionDay        = "day#"          // + yyyy-mm-dd#shard
	partitionRebuild    = "rebuild"       // how far reindex is
	partitionCheckup    = "checkup"
	partitionCompacted  = "compacted#" // + yyyy-mm
	partitionOpen       = "open"       // parts of segments that are in no run yet, by their keys
)
