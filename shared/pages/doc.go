// Package pages are what administrators and auditors see in a browser, rendered on the
// server in two languages: templates, style and script in assets, phrases in words*.go,
// how each type of message is drawn in body.go. All that they show comes from package
// show; what people wrote is hostile input, and stands in the page as text only.
package pages
