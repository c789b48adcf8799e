// Package show decides what may be seen, and by whom. It reads index and segments and
// writes nothing but the record of each look (package access): whatever returns content
// (Content) has recorded the look, locked, before it returns, so that no face can hand
// content out unrecorded. How a message is put together out of the parts of its segment,
// its newest reading and what its people are called, is decided here, once, for lists,
// searches, permalinks and records alike.
//
// Faces (packages api and pages) put an Asker into the context and turn answers and
// Problems into JSON and HTML. Types of answers are described by their tags; the API
// publishes them. Messages open without keys: this imports neither keyring nor decode.
package show
