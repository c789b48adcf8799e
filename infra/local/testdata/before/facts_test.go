package local_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"

	"wecom-archive/infra/local"
	locals3 "wecom-archive/infra/local/s3"
	"wecom-archive/shared/access"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/callback"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/person"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/rebuild"
	"wecom-archive/shared/viewer"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/wecomtest"
)

// change is what happens in the company meanwhile.
func (w *writer) change(s *local.System) {
	someone := func(kind string) []string {
		ids, err := s.Catalog.People.Seen(w.Context(), "", "", 1000)
		w.must(err)
		return slices.DeleteFunc(ids, func(id string) bool { return string(chat.ParticipantOf(id).Kind) != kind })
	}
	employees, outside := someone("employee"), someone("external")
	rooms, err := s.Catalog.People.Rooms(w.Context(), "", 1000)
	w.must(err)
	for _, e := range s.Corp.Employees() {
		switch chat.ParticipantOf(e.ID).ID {
		case employees[0]:
			s.Corp.Rename(e.ID, "王新名 "+w.newID())
		case employees[1]:
			s.Corp.Leave(e.ID)
		case employees[2]:
			s.Corp.Vanish(e.ID)
		}
	}
	s.Corp.Rename(outside[0], "改名客户 "+w.newID())
	s.Corp.Vanish(outside[1])
	s.Corp.Rename(rooms[0], "项目群 "+w.newID())
	agreed := 0
	for _, c := range w.conversations(s) {
		a, b, ok := withCustomer(c)
		if !ok {
			continue
		}
		status := []string{"Disagree", "Agree", "Default_Agree"}[agreed%3]
		s.Corp.Agree(a, b, status, w.base.Add(-48*time.Hour))
		agreed++
	}
	w.Logf("%d consents", agreed)
}

// conversations are all that the archive has, each once.
func (w *writer) conversations(s *local.System) (all []string) {
	for at := phases[0].extent.From.AddDate(0, 0, -1); at.Before(phases[2].now); at = at.AddDate(0, 0, 1) {
		ids, err := s.Catalog.Conversations.ActiveConversations(w.Context(), archive.Day(at), "", 1000)
		w.must(err)
		all = append(all, ids...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// withCustomer are the two of a pair of which one is a customer.
func withCustomer(conversation string) (employee, outside string, ok bool) {
	pair, ok := strings.CutPrefix(conversation, "pair:")
	a, b, _ := strings.Cut(pair, ",")
	if chat.ParticipantOf(a).Kind == chat.External {
		a, b = b, a
	}
	return a, b, ok && chat.ParticipantOf(a).Kind == chat.Employee && chat.ParticipantOf(b).Kind == chat.External
}

// flaky is a library that cannot open every sixth message.
type flaky struct{ wecomtest.Library }

func (f flaky) DecryptData(ctx context.Context, batch []wecom.Sealed) ([]wecom.Opened, error) {
	out, err := f.Library.DecryptData(ctx, batch)
	for i := range out {
		if i%6 == 0 {
			out[i] = wecom.Opened{Err: wecom.NewSDKError("DecryptData", 10008)}
		}
	}
	return out, err
}

// failOnce has a page archived by a library that fails, and tried again, so that it has
// a further part.
func (w *writer) failOnce(s *local.System) {
	pages, err := s.Catalog.Pages.PendingPages(w.Context(), 0, 100)
	w.must(err)
	page := pages[len(pages)-1]
	a := decode.New(decode.Config{
		Corp: beforeCorp, Program: beforeProgram, Objects: s.Objects, Derived: s.Derived, Catalog: s.Catalog,
		Keys: s.Ring, Library: flaky{}, Now: s.Now, Log: s.Log,
	})
	w.must(a.Ready(w.Context()))
	w.must(a.Handle(w.Context(), page.Key))
	r := &rebuild.Redriver{Corp: beforeCorp, Objects: s.Objects, Catalog: s.Catalog, Queue: s.Queue(), Now: s.Now, NewID: uuid.NewString}
	_, err = r.Run(w.Context(), rebuild.Selection{Page: &page.SeqAsked}, "the-operator@machine")
	w.must(err)
}

// tellAll stores facts that come from people and from WeCom's calls.
func (w *writer) tellAll(s *local.System, n int) {
	ctx := w.Context()
	var userids []string
	for i, e := range s.Corp.Employees() {
		if i%(2+n) != 0 {
			userids = append(userids, e.ID)
		}
	}
	w.must(catalog.PutScope(ctx, s.Objects, s.Catalog, beforeCorp, archive.Scope{
		ID: uuid.NewString(), At: w.now().UTC().Truncate(time.Millisecond), Who: "the-operator@machine", UserIDs: append(userids, "Nobody.Here"),
	}))
	checkup := archive.Checkup{ID: uuid.NewString(), At: w.now().UTC().Truncate(time.Millisecond), Where: []string{archive.CheckedByPuller, archive.CheckedHere}[n%2], Program: beforeProgram, Lines: []archive.CheckupLine{
		{Check: "library", State: archive.CheckupOK, Found: archive.Bilingual{English: "The library can be loaded.", Chinese: "可以加载该库。"}},
		{Check: "address", State: archive.CheckupAct, Found: archive.Bilingual{English: "The address is not trusted.", Chinese: "该地址不可信。"}, Remedy: archive.Bilingual{English: "Add it.", Chinese: "请添加。"}},
	}}
	w.must(archive.PutCheckup(ctx, s.Objects, beforeCorp, checkup))
	w.must(s.Catalog.Journal.SaveCheckup(ctx, checkup))
	if _, err := s.Ring.Create(ctx, fmt.Sprintf("spare-%d", n+1)); err != nil {
		w.Fatal(err)
	}
	employee, outside := s.Corp.Employees()[3+n].ID, s.Corp.Customers()[n].ID
	for _, c := range w.conversations(s) {
		if a, b, ok := withCustomer(c); ok {
			employee, outside = a, b
		}
	}
	for i, change := range []string{"msg_audit_approved", "edit_external_contact"} {
		at := w.now().Add(time.Duration(i-60) * time.Minute).UTC().Truncate(time.Second)
		event := archive.Callback{
			SentAt: at, ReceivedAt: at.Add(time.Second), Event: "change_external_contact", ChangeType: change, UserID: employee, ExternalUserID: outside,
			XML: fmt.Appendf(nil, "<xml><ToUserName>%s</ToUserName><CreateTime>%d</CreateTime><Event>change_external_contact</Event><ChangeType>%s</ChangeType><UserID>%s</UserID><ExternalUserID>%s</ExternalUserID></xml>", beforeCorp, at.Unix(), change, employee, outside),
		}
		w.must(archive.PutEvent(ctx, s.Objects, archive.CallbackKey(event), archive.EventCallback, beforeCorp, event.SentAt, event))
		aliases, err := s.Catalog.People.Aliases(ctx)
		w.must(err)
		if fact, ok := callback.Consent(event, aliases); ok {
			w.must(s.Catalog.Consents.PutConsent(ctx, fact))
		}
		w.must(s.Catalog.Journal.PutCallback(ctx, event))
	}
}

// layOver is what somebody does who attacks the archive.
func (w *writer) layOver() {
	ctx := w.Context()
	server, err := locals3.Start(ctx, locals3.Config{Root: w.dir})
	w.must(err)
	client := server.Client()
	for _, prefix := range []string{"pages/", "messages/", "media/", "access/"} {
		list, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("objects"), Prefix: &prefix})
		w.must(err)
		first, second := list.Contents[0].Key, list.Contents[1].Key
		_, err = client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("objects"), Key: first})
		w.must(err)
		_, err = client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("objects"), Key: second, Body: strings.NewReader("not what it was")})
		w.must(err)
	}
	w.must(server.Close())
}

func (w *writer) compactAndAlias(s *local.System) {
	ctx := w.Context()
	compactor := compact.New(compact.Config{
		Objects: s.Objects, Derived: s.Derived, Catalog: s.Catalog, Program: beforeProgram, Read: reading.Read, Parser: wecom.ParserVersion, Log: s.Log,
	})
	summary, err := compactor.Run(ctx, w.now())
	w.must(err)
	count, err := catalog.RecordIncidents(ctx, s.Versions, s.Objects, s.Catalog, beforeCorp, "")
	w.must(err)
	w.Logf("compacted: %+v, incidents: %+v", summary, count)
	was, is := w.newUserid(s)
	alias := archive.Alias{Was: was, Is: is, At: w.now().UTC().Truncate(time.Millisecond), Who: "the-operator@machine"}
	w.must(s.Catalog.People.CheckAlias(ctx, alias))
	w.must(catalog.SayAlias(ctx, s.Objects, s.Catalog, beforeCorp, alias))
	w.Logf("%s is %s", alias.Was, alias.Is)
}

// newUserid are the userid of an employee before and after WeCom changed it: one who
// talked, and one who will and was not seen by now.
func (w *writer) newUserid(s *local.System) (was, is string) {
	for _, id := range w.employees(w.chosen[2]) {
		if known, err := s.Catalog.People.Knows(w.Context(), id); err == nil && !known {
			is = id
			break
		}
	}
	for _, id := range w.employees(w.chosen[0]) {
		if id != is {
			return id, is
		}
	}
	w.Fatal("nobody talked")
	return "", ""
}

// employees are those who talk to one other in these messages, who talks most first.
func (w *writer) employees(these []line) (ids []string) {
	often := map[string]int{}
	for _, l := range these {
		if id := l.read.FromID; strings.HasPrefix(l.read.Conversation, "pair:") && chat.ParticipantOf(id).Kind == chat.Employee {
			often[id]++
		}
	}
	return slices.SortedFunc(maps.Keys(often), func(a, b string) int {
		return cmp.Or(often[b]-often[a], strings.Compare(a, b))
	})
}

// looks are of three people.
func (w *writer) looks(s *local.System, n int) {
	for who, roles := range map[string][]person.Role{"the-reader": {person.Reader}, "the-auditor": {person.Auditor}} {
		handler := viewer.New(viewer.Config{
			Objects: s.Objects, Derived: s.Derived, Catalog: s.Catalog, Now: w.now, NewID: w.newID, AskReason: true,
			Access: &access.Recorder{Objects: s.Objects, Now: w.now, NewID: w.newID},
			Auth:   api.StaticToken("token", person.Person{Subject: who, Name: "名 " + who, Roles: roles}),
		})
		get := func(path string, into any) {
			r := httptest.NewRequestWithContext(w.Context(), http.MethodGet, path, nil)
			r.RemoteAddr = "192.0.2.7:5555"
			r.Header.Set("Authorization", "Bearer token")
			r.Header.Set(show.ReasonHeader, url.PathEscape("投诉 2026-17"))
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, r)
			if answer.Code != http.StatusOK {
				w.Fatalf("%s: %d %s", path, answer.Code, answer.Body)
			}
			w.must(json.Unmarshal(answer.Body.Bytes(), into))
		}
		var found struct{ Conversations []struct{ ID string } }
		get("/v1/conversations?day="+archive.Day(phases[n].extent.From), &found)
		for i, c := range found.Conversations {
			if i%5 != 0 || i > 25 {
				continue
			}
			var page struct {
				Messages []struct {
					Seq   int64
					Media []any
				}
			}
			get("/v1/conversations/"+url.PathEscape(c.ID)+"/messages?limit=5", &page)
			for _, m := range page.Messages {
				if len(m.Media) > 0 {
					get(fmt.Sprintf("/v1/messages/%d/media", m.Seq), new(any))
				}
			}
			if who == "the-auditor" && len(page.Messages) > 0 {
				get(fmt.Sprintf("/v1/messages/%d?raw=true", page.Messages[0].Seq), new(any))
			}
		}
		get("/v1/search?q="+url.QueryEscape("合同"), new(any))
		get("/v1/search?type=file&limit=3&order=asc", new(any))
	}
}
