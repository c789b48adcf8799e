// Package decrypt opens messages with WeCom's native library: its function
// DecryptData, for the archiver. It needs no handle, no secret and no network, and
// reaches nothing that fetches. A message that ends the library's process is found
// and blamed; its neighbours are decrypted.
package decrypt
