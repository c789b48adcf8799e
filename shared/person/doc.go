// Package person says who asks: a person, the roles that they hold, and the error of
// those who are nobody. Signing in makes persons, the faces (api, pages) check their
// roles; neither needs the other for it.
package person
