package show

import (
	"context"
	"time"

	"wecom-archive/shared/person"
)

// Asker is who asks for something, and what the record of a look says of the request.
// It goes by hand nowhere: a face puts it into the context, and whatever shows
// something takes it from there.
type Asker struct {
	Person  person.Person
	How     string         // access.HowAPI, access.HowWeb
	Reason  string         // why they look, as they say; empty: they have not said
	Remote  string         // address that the request came from
	Request string         // its id, as in the log
	Zone    *time.Location // of their days; nil: Config.Zone
}

type askerKey struct{}

// As is the context of what somebody asks for.
func As(ctx context.Context, a Asker) context.Context {
	return context.WithValue(ctx, askerKey{}, a)
}

// AskerOf is who asks in a context; nobody, if no face has said.
func AskerOf(ctx context.Context) Asker {
	a, _ := ctx.Value(askerKey{}).(Asker)
	return a
}
