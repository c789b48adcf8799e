//go:build aws

package awstest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"wecom-archive/infra/runtimeapi"
	"wecom-archive/infra/sdkstandin"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/awsevents"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/doctor"
	"wecom-archive/shared/store"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/wecomtest"
)

// TestBootstraps runs the real binaries of puller, archiver, media and compactor through
// the Runtime API, on stand-ins for AWS, with a native library that speaks to the
// simulated corp: what the puller stores, the archiver reads, and leaves job
// lists for media. (Needs cc.)
func TestBootstraps(t *testing.T) {
	puller, archiver, media, compactor := bootstrap(t, "puller"), bootstrap(t, "archiver"), bootstrap(t, "media"), bootstrap(t, "compactor") // before the embedded S3 changes the folder
	library, err := sdkstandin.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := startLambdas(t)
	corp, proxy := s.startCorp(t)
	env := append(s.env, "WECOM_ARCHIVE_SDK="+library, "WECOM_ARCHIVE_PROXY="+proxy)

	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "203.0.113.7") }))
	t.Cleanup(outside.Close)
	f := s.start(t, puller, append(env, "WECOM_ARCHIVE_ECHO="+outside.URL))
	s.checkDoctor(t, f)
	const killer = 17
	corp.Fail(2, wecomtest.OrderAt(killer, "abort")) // twice: the first page is asked for twice
	answer, err := f.Invoke(t.Context(), sample(t, "puller/schedule.json"))
	var run archive.Run
	if err != nil || json.Unmarshal(answer, &run) != nil || run.Envelopes != spoken || run.Stopped != "end" {
		t.Fatalf("puller: %s, %v\n%s", answer, err, f.Log())
	}
	checkMetrics(t, f, "EndReached", 1, "Pulled", spoken, "Refused", 0, "Incidents", 0)
	pulled := f.Log()

	f = s.start(t, archiver, env)
	if err := s.objects.PutIfAbsent(t.Context(), archive.PageKey(99000), strings.NewReader("no page")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ event, failed string }{
		{"eventbridge.json", ""},
		{"poisoned-page.json", ""}, // trying again mends nothing: it is reported, and its stretch looked at
		{"one-bad-message.json", "b0c1a6f4-2d7e-4a53-8b0e-1f2a3c4d5e6f"},
	} {
		answer, err := f.Invoke(t.Context(), sample(t, "archiver/"+test.event))
		var response events.SQSEventResponse
		if err != nil || json.Unmarshal(answer, &response) != nil {
			t.Fatalf("archiver, %s: %s, %v\n%s", test.event, answer, err, f.Log())
		}
		failed := ""
		for _, item := range response.BatchItemFailures {
			failed += item.ItemIdentifier
		}
		if failed != test.failed {
			t.Errorf("archiver, %s: %q failed, want %q", test.event, failed, test.failed)
		}
	}
	found, err := damage.New(s.objects, s.catalog.Table, "", time.Now).Summary(t.Context())
	if err != nil || !slices.ContainsFunc(found.Open, func(e damage.Entry) bool {
		return e.Finding.Key == archive.PageKey(99000) && e.Finding.Kind == archive.Altered
	}) {
		t.Errorf("the page that is none is not reported: %+v, %v", found, err)
	}
	s.checkRows(t, corp, killer)
	s.checkMedia(t, s.start(t, media, env))
	checkMetrics(t, f, "Archived", spoken-1, "Quarantined", 1)
	if log := pulled + f.Log(); strings.Contains(log, s.secret) || !strings.Contains(f.Log(), `"signal":6`) {
		t.Errorf("the log holds the secret, or no word of the death:\n%s", log)
	}

	f = s.start(t, compactor, env)
	var compacted compact.Summary
	if answer, err = f.Invoke(t.Context(), sample(t, "compactor/schedule.json")); err != nil || json.Unmarshal(answer, &compacted) != nil {
		t.Errorf("compactor: %s, %v\n%s", answer, err, f.Log())
	}
	checkMetrics(t, f, "Compacted", float64(compacted.Messages))
}

// sample is one of the events that AWS sends, from the folder events.
func sample(t *testing.T, name string) []byte {
	t.Helper()
	event, err := os.ReadFile(filepath.Join(root, "events", name))
	if err != nil {
		t.Fatal(err)
	}
	return event
}

// checkMetrics sums up what a function's log holds of metrics: pairs of name and
// value. The log comes through a pipe of its own, after the answer perhaps.
func checkMetrics(t *testing.T, f *runtimeapi.Function, want ...any) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		wrong := wrongMetrics(f.Log(), want)
		if len(wrong) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Errorf("%s\n%s", strings.Join(wrong, "\n"), f.Log())
			return
		}
	}
}

func wrongMetrics(log string, want []any) (wrong []string) {
	sums, found := map[string]float64{}, map[string]bool{}
	for line := range strings.Lines(log) {
		var values map[string]any
		if json.Unmarshal([]byte(line), &values) != nil || values["_aws"] == nil {
			continue
		}
		if values["Stack"] != "example" {
			wrong = append(wrong, fmt.Sprintf("metrics of stack %v", values["Stack"]))
		}
		for name, value := range values {
			if n, ok := value.(float64); ok {
				sums[name] += n
				found[name] = true
			}
		}
	}
	for i := 0; i < len(want); i += 2 {
		name, value := want[i].(string), fmt.Sprint(want[i+1])
		if !found[name] || fmt.Sprint(sums[name]) != value {
			wrong = append(wrong, fmt.Sprintf("metric %s is %v (written: %v), want %s", name, sums[name], found[name], value))
		}
	}
	return wrong
}

// TestFreshOperator: what somebody who has just deployed can have wrong gives one
// clear message, in the answer or the log, and the puller's doctor still answers.
func TestFreshOperator(t *testing.T) {
	puller, archiver := bootstrap(t, "puller"), bootstrap(t, "archiver")
	library, err := sdkstandin.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := startLambdas(t)
	_, proxy := s.startCorp(t)
	env := append(s.env, "WECOM_ARCHIVE_SDK="+library, "WECOM_ARCHIVE_PROXY="+proxy, "WECOM_ARCHIVE_ECHO="+proxy)
	for what, test := range map[string]struct{ set, says string }{
		"no layer":     {"WECOM_ARCHIVE_SDK=/opt/lib/none.so", "make layer"},
		"no secret":    {"WECOM_ARCHIVE_SECRET_PREFIX=/nowhere/", "wecom-archive secrets set archive-secret"},
		"wrong corp":   {"WECOM_ARCHIVE_CORP=ww0000000000000000", "corpid"},
		"wrong bucket": {"WECOM_ARCHIVE_BUCKET=nowhere", "nowhere"},
		"wrong table":  {"WECOM_ARCHIVE_TABLE=nowhere", "nowhere"},
		"wrong region": {"AWS_REGION=eu-west-3", "wecom-archive secrets set archive-secret"}, // nothing of the stack is there
	} {
		t.Run(what, func(t *testing.T) {
			f := s.start(t, puller, append(env, test.set))
			if answer, err := f.Invoke(t.Context(), sample(t, "puller/schedule.json")); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s, %v; want %q\n%s", answer, err, test.says, f.Log())
			}
			answer, err := f.Invoke(t.Context(), sample(t, "puller/doctor.json"))
			var checkup archive.Checkup
			if err != nil || json.Unmarshal(answer, &checkup) != nil || checkup.Well() {
				t.Errorf("doctor: %s, %v", answer, err)
			}
		})
	}
	for what, test := range map[string]struct {
		binary    string
		set, says string
	}{
		"archiver without layer": {archiver, "WECOM_ARCHIVE_SDK=/opt/lib/none.so", "make layer"},
		"puller without corp":    {puller, "WECOM_ARCHIVE_CORP=", "WECOM_ARCHIVE_CORP"},
	} {
		t.Run(what, func(t *testing.T) {
			f := s.start(t, test.binary, append(env, test.set))
			err := f.Wait(t.Context())
			lines := strings.Split(strings.TrimSpace(f.Log()), "\n")
			if err == nil || len(lines) != 1 || !strings.Contains(lines[0], "cannot start") || !strings.Contains(lines[0], test.says) {
				t.Errorf("%v: %q", err, lines)
			}
		})
	}
}

const (
	exampleBucket = "wecom-archive-example" // of the events below events/
	derivedBucket = "wecom-archive-example-derived"
)

// checkDoctor asks the puller whether all is in place: the library loads, WeCom takes
// the secret, and the stores can be used.
func (s *lambdas) checkDoctor(t *testing.T, f *runtimeapi.Function) {
	t.Helper()
	answer, err := f.Invoke(t.Context(), sample(t, "puller/doctor.json"))
	var checkup archive.Checkup
	if err != nil || json.Unmarshal(answer, &checkup) != nil || len(checkup.Lines) != 9 || strings.Contains(string(answer), s.secret) {
		t.Fatalf("doctor: %s, %v\n%s", answer, err, f.Log())
	}
	for _, l := range checkup.Lines {
		// The secret has an unusual shape; what tests build has no version.
		if l.State != archive.CheckupOK && l.Check != doctor.CheckSecret && l.Check != doctor.CheckVersion {
			t.Errorf("%+v", l)
		}
	}
}

// checkMedia has the media function fetch files through the library, among them one
// that kills it and one that is gone.
func (s *lambdas) checkMedia(t *testing.T, f *runtimeapi.Function) {
	t.Helper()
	f.Timeout = 5 * time.Minute // it begins nothing with less than two left
	list, err := archive.ReadFetchList(t.Context(), s.derived, archive.FetchKey(time.Now(), 0, 0))
	if err != nil || len(list.Jobs) == 0 {
		t.Fatalf("the archiver's job list: %d jobs, %v", len(list.Jobs), err)
	}
	list.SeqAsked, list.Jobs = 1_000_000, nil // the corp's own files the stand-in does not have
	for i, id := range []string{"!bytes:1300000", "!bytes:0", "!abort", "!code:10010"} {
		list.Jobs = append(list.Jobs, archive.MediaJob{
			MediaPlace: archive.MediaPlace{Position: i, Path: "file", Kind: "file", FileIDSHA256: wecom.Media{FileID: id}.FileIDHash()},
			FileID:     id, Size: -1, Expires: time.Now().Add(time.Hour),
		})
	}
	if err := archive.PutFetchList(t.Context(), s.derived, list); err != nil {
		t.Fatal(err)
	}
	body, err := awsevents.Message(awsevents.Object{Bucket: derivedBucket, Key: list.Key()})
	if err != nil {
		t.Fatal(err)
	}
	event, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{MessageId: "1", Body: body}}})
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := f.Invoke(t.Context(), event); err != nil || strings.Contains(string(answer), "itemIdentifier") {
		t.Fatalf("media: %s, %v\n%s", answer, err, f.Log())
	}
	links, err := archive.ReadPageLinks(t.Context(), s.objects, list.PulledAt, list.SeqAsked)
	if err != nil {
		t.Fatal(err)
	}
	want := []archive.MediaState{archive.MediaStored, archive.MediaStored, "", archive.MediaLost} // the killer is tried again later
	for i, job := range list.Jobs {
		link, _ := links.Of(job.MediaPlace)
		if link.State != want[i] {
			t.Errorf("%s is %q, want %q\n%s", job.FileID, link.State, want[i], f.Log())
		}
		if link.State != archive.MediaStored {
			continue
		}
		stored, err := store.ReadObject(t.Context(), s.objects, link.Key)
		if err != nil || fmt.Sprint("!bytes:", len(stored)) != job.FileID {
			t.Errorf("%s: %d bytes stored, %v", job.FileID, len(stored), err)
		}
	}
	if answer, err := f.Invoke(t.Context(), []byte(`{"reason":"schedule"}`)); err != nil || !strings.HasPrefix(string(answer), `{"queued":`) {
		t.Errorf("on schedule: %s, %v", answer, err)
	}
	if log := f.Log(); strings.Contains(log, s.secret) || strings.Contains(log, "!bytes") || strings.Contains(log, "!abort") {
		t.Errorf("the log holds the secret or an sdkfileid:\n%s", log)
	}
}
