// Package financesdk holds WeCom's native library, libWeWorkFinanceSdk_C.so: the
// only way to the messages of the archive (会话内容存档). It binds the library at
// run time, without cgo, and keeps it in child processes, since it aborts or
// crashes its process on some inputs.
//
// A Pool is what the program uses. It offers GetChatData to the puller,
// DecryptData to the archiver and GetMediaData to the media stage, and is safe for
// concurrent use. Each of its children is the program's own executable, started in
// a mode of its own (see RunHost), with one handle of the library, and talks over
// two pipes. A child that dies takes nobody along: the pool says how it died,
// starts another one, and finds the message that is to blame.
//
// Library binds the functions in the calling process. Use it in tests and tools
// only.
//
// # What children cannot do
//
// A child has an empty environment, no arguments that say anything, no descriptors
// but its two pipes, no capabilities, no way to gain any, and no core dumps; its
// stderr goes nowhere, since the library may write content there. Corpid, secret
// and proxy password reach it over the pipe. It cannot look into the parent: Open
// makes the parent's memory unreadable for other processes of the same user (as a
// side effect, debuggers cannot attach to the parent and it leaves no core dumps).
//
// # Sources
//
// The functions are those of the vendor's header, WeWorkFinanceSdk_C.h. The codes
// they return, and what to do about each, are in package wecom (Error).
package financesdk
