// Package native is what fetching and decrypting with WeCom's native library,
// libWeWorkFinanceSdk_C.so, have in common: the file itself (Inspect), which is bound
// at run time, without cgo, and the child processes that it is kept in, since it
// aborts or crashes its process on some inputs. What the library is called for lies
// above: package financesdk fetches, its package decrypt decrypts, and neither
// reaches the other's functions.
//
// The children of a Pool are the program's own executable, started in a mode of their
// own (see Host), and talk over two pipes. A child that dies takes nobody along: the
// pool says how it died, and starts another one.
//
// # What children cannot do
//
// A child has an empty environment, no arguments that say anything but its mode, no
// descriptors but its two pipes, no capabilities, no way to gain any, and no core
// dumps; its stderr goes nowhere, since the library may write content there. Corpid,
// secret and proxy password reach it over the pipe. It cannot look into the parent:
// Open makes the parent's memory unreadable for other processes of the same user (as
// a side effect, debuggers cannot attach to the parent and it leaves no core dumps).
package native
