// Package compaction is the format of compacted messages, and what the index says of
// them: objects of the derived bucket that hold the messages of a month by conversation
// and time, the directory of their row groups, and the switch of each month, which names
// the runs that readers use. Package compact makes them, transcript and search read them.
//
// All of it is derived: it can be made again from the segments.
package compaction
