package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// Alias is the fact that WeCom changed an employee's userid: the same person wrote
// under Was before and under Is from then on. WeCom does not tell; somebody says so.
type Alias struct {
	Was string    `json:"was"` // as in readings
	Is  string    `json:"is"`
	At  time.Time `json:"at"`  // when somebody said so, ms
	Who string    `json:"who"` // as the machine says
}

// AliasKey names the object of an alias' event.
func AliasKey(a Alias) string {
	sum := sha256.Sum256([]byte(a.Was + "\n" + a.Is))
	return eventKey(a.At, fmt.Sprintf("alias-%013d-%s", a.At.UnixMilli(), hex.EncodeToString(sum[:8])))
}
