//go:build race

package main

// underRace: everything takes ten times as long.
const underRace = true
