// The holes tool damages archives at random (pages, alternates and segments lost, spoilt or
// planted, several times over, with two writers at once, and WeCom's window moving on),
// lets them go on for nine days, and compares all locked rows with what was said: nothing
// that WeCom still had may be missing, nothing may stand twice, and what is lost must be
// listed as lost.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

func main() {
	n := flag.Int("n", 3000, "how many archives")
	first := flag.Uint64("seed", 1, "of the first one; those after count on")
	parallel := flag.Int("parallel", 2, "archives at a time")
	flag.Parse()
	var (
		next  atomic.Uint64
		group sync.WaitGroup
		mu    sync.Mutex
		sum   outcome
		wrong int
	)
	for range *parallel {
		group.Go(func() {
			for i := next.Add(1) - 1; i < uint64(*n); i = next.Add(1) - 1 {
				one, err := run(context.Background(), *first+i)
				mu.Lock()
				sum.add(one)
				if err != nil {
					wrong++
					fmt.Println(err)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	fmt.Printf("%d archives, %d wrong: %d messages, %d holes, %d alternates with %d messages, %d rows elsewhere, %d messages that WeCom did not have any more\n",
		*n, wrong, sum.Messages, sum.Holes, sum.Alternates, sum.Refilled, sum.Elsewhere, sum.Lost)
	if wrong > 0 {
		os.Exit(1)
	}
}
