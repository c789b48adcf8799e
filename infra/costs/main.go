// The costs command prints what a stack costs a month, as the table of README:
// requests that are counted or bounded by tests, times list prices of one region.
//
//	go run ./infra/costs
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := write(os.Stdout, singapore); err != nil {
		fmt.Fprintln(os.Stderr, "costs:", err)
		os.Exit(1)
	}
}
