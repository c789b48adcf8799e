// Package environment reads the settings of a function from its environment, as the
// stack sets them.
package environment

import "fmt"

// Setting is one variable that must be set.
type Setting struct {
	Name string
	To   *string
	What string // it is, for whoever finds it missing
}

// Read fills the settings in. The error names the first that is missing.
func Read(getenv func(string) string, settings ...Setting) error {
	for _, s := range settings {
		if *s.To = getenv(s.Name); *s.To == "" {
			return fmt.Errorf("the environment variable %s is not set: it is %s", s.Name, s.What)
		}
	}
	return nil
}
