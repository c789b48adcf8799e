package main

import (
	"fmt"
	"testing"
)

// TestDamagedArchives runs some of the archives that the tool runs by the thousand.
func TestDamagedArchives(t *testing.T) {
	n := 60
	if testing.Short() || underRace {
		n = 8
	}
	var sum outcome
	for seed := range n {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			one, err := run(t.Context(), uint64(9000+seed))
			if err != nil {
				t.Error(err)
			}
			sum.add(one)
		})
	}
	if sum.Alternates == 0 || sum.Refilled == 0 || sum.Elsewhere == 0 || sum.Lost == 0 {
		t.Errorf("the archives show too little: %+v", sum)
	}
	t.Logf("%+v", sum)
}
