// Package browser looks at the viewer as its readers do: it starts the real program
// on simulated data and walks through it with Debian's Chromium. Every page is
// watched for scripts that should not run, violations of the content security policy,
// requests to other machines and faults of accessibility (axe-core).
//
// It is a module of its own: the program and its other tests need no browser. Run it
// with `make test-browser`, which installs what is missing.
package browser
