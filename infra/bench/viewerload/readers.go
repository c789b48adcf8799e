package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"sync"
	"time"

	"wecom-archive/infra/local"
	"wecom-archive/infra/local/idp"
	"wecom-archive/shared/access"
	"wecom-archive/shared/api"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/person"
	"wecom-archive/shared/signin"
	"wecom-archive/shared/store"
	"wecom-archive/shared/viewer"
	"wecom-archive/shared/wecom/wecomtest"
)

// crowd is many people who read at a time while the puller works: the system of
// `wecom-archive local` in this process, with an account for each of them.
type crowd struct {
	Dir      string
	Messages int // when they begin; more arrive every second
	Arriving int // messages a second
	Readers  int
	Time     time.Duration
	Seed     uint64
}

// outcome is what came of it.
type outcome struct {
	Answers int                      // in all
	Looks   map[string]int           // answers that carried content, by kind of screen
	Records int                      // of looks, in the archive bucket
	Pulled  int                      // messages that were archived meanwhile
	P95     map[string]time.Duration // of an answer, by kind
	Faults  []string                 // whatever should not be
}

func (o *outcome) fault(format string, args ...any) {
	o.Faults = append(o.Faults, fmt.Sprintf(format, args...))
}

// looks is how many answers carried content.
func (o *outcome) looks() (n int) {
	for _, of := range o.Looks {
		n += of
	}
	return n
}

// tokens know readers by their subject as bearer token.
type tokens map[string]person.Person

func (t tokens) Authenticate(r *http.Request) (person.Person, error) {
	for token, p := range t {
		if p, err := api.StaticToken(token, p).Authenticate(r); err == nil {
			return p, nil
		}
	}
	return person.Person{}, fmt.Errorf("%w: unknown token", person.ErrUnauthenticated)
}

// account is the n-th reader; every third is an auditor, too.
func account(n int) idp.Account {
	roles := []string{string(person.Reader)}
	if n%3 == 0 {
		roles = append(roles, string(person.Auditor))
	}
	return idp.Account{Subject: fmt.Sprintf("subject-%03d", n), Name: fmt.Sprintf("Looker-%03d", n), Roles: roles}
}

// run has the crowd read, and compares looks with records.
func (c crowd) run(ctx context.Context) (o *outcome, err error) {
	log := slog.New(slog.DiscardHandler)
	system, err := local.Open(ctx, local.Config{
		Dir: c.Dir, Messages: c.Messages, Limit: 1000, Seed: c.Seed, FetchMedia: true, Program: "viewerload", Log: log, Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, system.Close()) }()
	if err := system.Run(ctx, true, nil); err != nil {
		return nil, fmt.Errorf("archiving the first %d messages: %w", c.Messages, err)
	}
	_, err = compact.New(compact.Config{
		Objects: system.Objects, Derived: system.Derived, Program: "viewerload", Temp: c.Dir, Log: log,
		Conversations: system.Catalog.Conversations, People: system.Catalog.People, Compactions: compaction.NewIndex(system.Catalog.Table),
	}).Run(ctx, time.Now())
	if err != nil {
		return nil, fmt.Errorf("compacting the first %d messages: %w", c.Messages, err)
	}
	base, stop, err := c.serve(system, log)
	if err != nil {
		return nil, err
	}
	defer stop()
	before, err := system.Progress(ctx)
	if err != nil {
		return nil, err
	}
	readers := make([]*reader, c.Readers)
	for i := range readers {
		if readers[i], err = c.reader(base, i); err != nil {
			return nil, err
		}
		if err := readers[i].signIn(ctx); err != nil {
			return nil, fmt.Errorf("signing in as %s: %w", readers[i].Subject, err)
		}
	}
	if err := c.read(ctx, system, readers); err != nil {
		return nil, err
	}
	after, err := system.Progress(ctx)
	if err != nil {
		return nil, err
	}
	o = &outcome{Looks: map[string]int{}, P95: map[string]time.Duration{}, Pulled: after.Archived - before.Archived}
	return o, o.compare(ctx, system.Objects, readers)
}

// read has all of them read, and more messages arrive, for the time.
func (c crowd) read(ctx context.Context, system *local.System, readers []*reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() { c.wait(ctx, system); cancel() })
	var pulling, arriving error
	group.Go(func() { pulling = system.Run(ctx, false, nil) })
	group.Go(func() {
		last := time.Now()
		for tick := time.NewTicker(time.Second); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case now := <-tick.C:
				if arriving = system.Corp.Extend(wecomtest.Extent{Count: c.Arriving, From: last, To: now}); arriving == nil {
					arriving = system.RequestPull(context.WithoutCancel(ctx), "viewerload")
				}
				if last = now; arriving != nil {
					cancel()
				}
			}
		}
	})
	for _, r := range readers {
		group.Go(func() {
			for ctx.Err() == nil && len(r.faults) == 0 {
				r.step()
			}
		})
	}
	group.Wait()
	return errors.Join(pulling, arriving)
}

// wait waits for the time, and on a slow machine for longer: until more messages came.
func (c crowd) wait(ctx context.Context, system *local.System) {
	began := time.Now()
	first, err := system.Progress(ctx)
	for err == nil && ctx.Err() == nil && time.Since(began) < 20*c.Time {
		now, progressErr := system.Progress(ctx)
		if progressErr != nil || time.Since(began) >= c.Time && now.Archived > first.Archived {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// serve is what the command `local` serves, for these accounts.
func (c crowd) serve(system *local.System, log *slog.Logger) (base string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	base = "http://" + listener.Addr().String()
	sessions, err := signin.NewSessions(signin.Settings{Key: signin.NewKey(), Insecure: true})
	if err != nil {
		return "", nil, err
	}
	var accounts []idp.Account
	known := tokens{}
	for n := range c.Readers {
		a := account(n)
		p := person.Person{Subject: a.Subject, Name: a.Name}
		for _, role := range a.Roles {
			p.Roles = append(p.Roles, person.Role(role))
		}
		accounts, known[a.Subject] = append(accounts, a), p
	}
	const client = "viewerload"
	provider, err := idp.New(idp.Config{Issuer: base + "/idp", ClientID: client, Redirect: base + signin.CallbackPath, Accounts: accounts, Now: time.Now})
	if err != nil {
		return "", nil, err
	}
	entry := signin.New(signin.Config{
		Issuer: base + "/idp", ClientID: client, Base: base, RolesClaim: idp.RolesClaim, Sessions: sessions, Client: &http.Client{Timeout: 20 * time.Second}, Log: log,
	})
	mux := http.NewServeMux()
	mux.Handle("/", viewer.New(viewer.Config{
		Objects: system.Objects, Derived: system.Derived, Catalog: system.Catalog, Auth: known, Visitors: sessions, Puller: system, Log: log,
		Access: &access.Recorder{Objects: system.Objects, Now: time.Now, NewID: rand.Text},
	}))
	mux.Handle("/idp/", provider)
	for _, path := range []string{signin.BeginPath, signin.CallbackPath, signin.EndPath} {
		mux.Handle(path, entry)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	return base, func() {
		_ = server.Close()
		<-served
	}, nil
}

func (c crowd) reader(base string, n int) (*reader, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	direct := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &reader{
		Account: account(n), base: base, rng: mathrand.New(mathrand.NewPCG(c.Seed, uint64(n))), looks: map[string]string{}, took: map[string][]time.Duration{},
		client: &http.Client{Jar: jar, CheckRedirect: direct, Timeout: 2 * time.Minute},
	}, nil
}

// compare matches what the readers saw with what the archive says that they saw, by the
// id of the request.
func (o *outcome) compare(ctx context.Context, objects store.Objects, readers []*reader) error {
	records := map[string]access.Look{}
	for info, err := range objects.List(ctx, archive.AccessPrefix, "") {
		if err != nil {
			return err
		}
		doc, err := store.ReadObject(ctx, objects, info.Key)
		if err != nil {
			return err
		}
		look, err := access.Decode(doc)
		if err != nil {
			return err
		}
		if _, twice := records[look.Request]; twice {
			o.fault("request %s is recorded twice", look.Request)
		}
		records[look.Request] = look
		o.Records++
	}
	took := map[string][]time.Duration{}
	for _, r := range readers {
		for kind, times := range r.took {
			o.Answers += len(times)
			took[kind] = append(took[kind], times...)
		}
		for _, f := range r.faults {
			o.fault("%s: %s", r.Subject, f)
		}
		for request, kind := range r.looks {
			o.Looks[kind]++
			look, ok := records[request]
			switch {
			case !ok:
				o.fault("%s: %s of %s is not recorded", r.Subject, kind, request)
			case look.Who != r.Subject:
				o.fault("%s of %s is recorded as a look of %s", kind, r.Subject, look.Who)
			}
			delete(records, request)
		}
	}
	for request, look := range records {
		o.fault("nobody got %s, recorded as a look of %s (%s)", request, look.Who, look.What)
	}
	for kind, times := range took {
		o.P95[kind] = p95(times)
	}
	return nil
}

// signIn goes through the provider as a browser does.
func (r *reader) signIn(ctx context.Context) error {
	next, form := r.base+"/signin?back=%2Fc", url.Values(nil)
	for range 6 {
		method, body := http.MethodGet, ""
		if form != nil {
			method, body = http.MethodPost, form.Encode()
		}
		answer, err := r.send(ctx, method, next, body)
		if err != nil {
			return err
		}
		at, err := url.Parse(next)
		if err != nil {
			return err
		}
		form = nil
		switch {
		case answer.status == http.StatusSeeOther || answer.status == http.StatusFound:
			to, err := at.Parse(answer.header.Get("Location"))
			if err != nil {
				return err
			}
			if to.Path == "/c" {
				return nil
			}
			next = to.String()
		case answer.status == http.StatusOK && at.Path == "/idp/authorize":
			form = url.Values{"account": {r.Subject}, "query": {at.RawQuery}}
		default:
			return fmt.Errorf("%s: %d %.200s", at.Path, answer.status, answer.body)
		}
	}
	return errors.New("no end of redirects")
}

var errCut = errors.New("the answer was cut off")

func readAll(body io.ReadCloser) ([]byte, error) {
	doc, err := io.ReadAll(body)
	if closed := body.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCut, err)
	}
	return doc, nil
}
