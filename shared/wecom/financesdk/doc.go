// Package financesdk fetches with WeCom's native library, libWeWorkFinanceSdk_C.so:
// the only way to the messages of the archive (会话内容存档). It offers GetChatData to
// the puller and GetMediaData to the media stage. What opens messages is package
// decrypt below it, which is not reachable from here: who talks to the outside cannot
// read. Both keep the library in child processes, by package native.
//
// # Sources
//
// The functions are those of the vendor's header, WeWorkFinanceSdk_C.h. The codes
// they return, and what to do about each, are in package wecom (Error).
package financesdk
