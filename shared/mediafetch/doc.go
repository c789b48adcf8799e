// Package mediafetch is the media stage: it fetches the files that messages refer
// to (images, voice, video, documents, recorded calls) from WeCom before WeCom
// forgets them, and stores each under its SHA-256.
//
// It works on the job lists that the archiver leaves below fetch/, which name
// sdkfileids and nothing of what messages say. A file comes in slices, which are
// spooled to disk and hashed; memory does not grow with it. Its MD5 and size are
// compared with what the message claims, which may be wrong or missing: the verdict
// is recorded, the bytes are kept. What became of each reference is stored below
// links/, and only then in the index.
//
// Everything can be done again: a file that is stored already stays as it is, a
// reference that is linked is passed over. What cannot be had now is tried again
// over the days that WeCom keeps it; see classify.
//
// It has a route to WeCom and must not be able to read messages.
package mediafetch
