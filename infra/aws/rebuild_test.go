//go:build aws

package awstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"wecom-archive/infra/runtimeapi"
	"wecom-archive/infra/sdkstandin"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/consent"
	"wecom-archive/shared/rebuild"
	"wecom-archive/shared/reparse"
	"wecom-archive/shared/upkeep"
)

// cloud answers as CloudFormation does about one stack, and as Lambda does for its
// functions, which are the real ones.
type cloud struct {
	*httptest.Server
	outputs map[string]string

	mu        sync.Mutex
	functions map[string]*runtimeapi.Function
	denied    bool     // whoever calls may not invoke
	old       bool     // the functions know no modes
	invoked   []string // names and events, but for dry runs
}

func (s *lambdas) startCloud(t *testing.T, functions map[string]*runtimeapi.Function) *cloud {
	t.Helper()
	c := &cloud{functions: functions, outputs: map[string]string{"CompactorFunction": "example-compactor", "ReindexerFunction": "example-reindexer", "PullerFunction": "example-puller"}}
	for output, variable := range map[string]string{
		"Corp": "CORP", "AuditorBucket": "BUCKET", "DerivedBucket": "DERIVED", "Table": "TABLE", "QueueUrl": "QUEUE_URL",
		"CaptureKey": "CAPTURE_KEY", "KeyringKey": "KEYRING_KEY", "OpsKey": "KEYRING_KEY", "SecretPrefix": "SECRET_PREFIX",
	} {
		c.outputs[output] = s.setting("WECOM_ARCHIVE_" + variable)
	}
	c.Server = httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.Close)
	return c
}

// setting is the value of a variable of the functions' environment.
func (s *lambdas) setting(name string) string {
	for _, line := range s.env {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			return value
		}
	}
	return ""
}

func (c *cloud) serve(w http.ResponseWriter, r *http.Request) {
	name, isInvoke := strings.CutPrefix(r.URL.Path, "/2015-03-31/functions/")
	name, _, _ = strings.Cut(name, "/")
	if !isInvoke {
		fmt.Fprint(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><Outputs>`)
		for key, value := range c.outputs {
			fmt.Fprintf(w, `<member><OutputKey>%s</OutputKey><OutputValue>%s</OutputValue></member>`, key, value)
		}
		fmt.Fprint(w, `</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`)
		return
	}
	event, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	f, denied, old := c.functions[name], c.denied, c.old
	dry := r.Header.Get("X-Amz-Invocation-Type") == "DryRun"
	if !denied && !dry {
		c.invoked = append(c.invoked, name+" "+string(event))
	}
	c.mu.Unlock()
	switch {
	case denied:
		w.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"Message":"not authorized to perform: lambda:InvokeFunction"}`)
	case f == nil:
		w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"Message":"Function not found"}`)
	case dry:
		w.WriteHeader(http.StatusNoContent)
	case old:
		fmt.Fprint(w, `{"months":1,"more":false}`)
	default:
		answer, err := f.Invoke(r.Context(), event)
		if err != nil {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			answer, _ = json.Marshal(map[string]string{"errorMessage": err.Error()})
		}
		_, _ = w.Write(answer)
	}
}

func (c *cloud) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

// took are the names and events of the invocations since the last call.
func (c *cloud) took() (all []string) {
	c.set(func() { all, c.invoked = c.invoked, nil })
	return all
}

// TestRebuildCommands runs the real command against the real functions compactor and
// reindexer, on an archive that puller and archiver have made.
func TestRebuildCommands(t *testing.T) {
	puller, archiver, compactor, reindexer, command := bootstrap(t, "puller"), bootstrap(t, "archiver"), bootstrap(t, "compactor"), bootstrap(t, "reindexer"), binary(t, "./cmd/wecom-archive")
	library, err := sdkstandin.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := startLambdas(t)
	_, proxy := s.startCorp(t)
	env := append(s.env, "WECOM_ARCHIVE_SDK="+library, "WECOM_ARCHIVE_PROXY="+proxy)
	for _, stage := range []struct{ binary, event string }{{puller, "puller/schedule.json"}, {archiver, "archiver/eventbridge.json"}} {
		f := s.start(t, stage.binary, env)
		if answer, err := f.Invoke(t.Context(), sample(t, stage.event)); err != nil {
			t.Fatalf("%s, %v\n%s", answer, err, f.Log())
		}
	}
	functions := map[string]*runtimeapi.Function{"example-compactor": s.start(t, compactor, s.env), "example-reindexer": s.start(t, reindexer, s.env)}
	for _, f := range functions {
		f.Timeout = 5 * time.Minute // nothing begins in the last one
	}
	c := s.startCloud(t, functions)
	// run is the command; it answers standard output.
	run := func(wantStatus int, wantError string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), command, append(args, "--stack", "example")...)
		cmd.Env = append(slices.Clone(s.env), "AWS_ENDPOINT_URL_LAMBDA="+c.URL, "AWS_ENDPOINT_URL_CLOUDFORMATION="+c.URL, "AWS_EC2_METADATA_DISABLED=true")
		for i, line := range cmd.Env { // the stack's outputs say these
			if strings.HasPrefix(line, "WECOM_ARCHIVE_") {
				cmd.Env[i] = "IGNORED="
			}
		}
		var out, errOut bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errOut
		_ = cmd.Run()
		if status := cmd.ProcessState.ExitCode(); status != wantStatus || !strings.Contains(errOut.String(), wantError) {
			t.Fatalf("%v: exit status %d, want %d with %q:\n%s%s\n%s", args, status, wantStatus, wantError, out.String(), errOut.String(), functions["example-compactor"].Log()+functions["example-reindexer"].Log())
		}
		return out.String()
	}
	read := func(text string, into any) {
		t.Helper()
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	before := s.conversations(t)
	drain(t, s)
	var reindexed rebuild.Report
	read(run(0, "", "reindex", "--drop"), &reindexed)
	if reindexed.Envelopes != spoken || reindexed.Waiting != 0 || reindexed.Media == 0 {
		t.Errorf("reindex: %+v", reindexed)
	}
	if now := s.conversations(t); len(before) == 0 || !slices.Equal(now, before) {
		t.Errorf("%d conversations after reindexing, %d before", len(now), len(before))
	}
	if queued := drain(t, s); len(queued) == 0 || !strings.Contains(queued[0], `"pages%2F`) {
		t.Errorf("pages with files to fetch are not queued: %q", queued)
	}
	var summary compact.Summary
	read(run(0, "", "compact"), &summary)
	if summary.Messages == 0 || summary.More {
		t.Errorf("compact: %+v", summary)
	}
	messages := summary.Messages
	read(run(0, "", "compact", "--rebuild"), &summary)
	if summary.Messages != messages {
		t.Errorf("compact --rebuild: %+v, want %d messages", summary, messages)
	}
	read(run(0, "", "compact", "--rebuild", "--month", "2020-01"), &summary)
	if summary.Messages != 0 {
		t.Errorf("a month without messages: %+v", summary)
	}
	want := []string{`example-reindexer {"mode":"reindex","drop":true`, `example-compactor {"mode":"compact"}`, `example-compactor {"mode":"recompact"}`, `example-compactor {"mode":"recompact","month":"2020-01"}`}
	got := c.took()
	if len(got) > 0 { // who orders is another one each time
		got[0], _, _ = strings.Cut(got[0], `,"by":`)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the functions were given %q", got)
	}

	who := s.employee(t)
	run(1, "nobody in the archive has the userid first.userid", "people", "alias", "first.userid", who)
	c.set(func() { c.denied = true })
	run(1, "AccessDenied", "people", "alias", "first.userid", who, "--unseen")
	run(1, "AccessDenied", "reparse")
	c.set(func() { c.denied = false })
	if aliases := s.aliases(t); aliases != 0 {
		t.Errorf("%d aliases are stored for ever, and what follows was refused", aliases)
	}
	var reparsed reparse.Report
	read(run(0, "", "people", "alias", "first.userid", who, "--unseen"), &reparsed)
	if reparsed.Moved == 0 || reparsed.Messages != messages || s.aliases(t) != 1 {
		t.Errorf("people alias: %+v, %d aliases", reparsed, s.aliases(t))
	}
	if now := s.conversations(t); slices.Equal(now, before) || !slices.ContainsFunc(now, func(id string) bool { return strings.Contains(id, "first.userid") }) {
		t.Error("no conversation is that of the first userid")
	}
	run(1, "came before", "people", "alias", who, "first.userid", "--unseen")
	read(run(0, "", "reparse"), &reparsed)
	if reparsed.Moved == 0 || reparsed.Removed != 0 {
		t.Errorf("reparse: %+v", reparsed)
	}

	fact := catalog.ConsentFact{Conversation: "room:wrA", Person: "wmA", Status: archive.ConsentRefused, At: time.Now().UTC().Truncate(time.Millisecond), Source: catalog.ConsentFromCheck}
	if err := s.catalog.Consents.PutConsent(t.Context(), fact); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(run(0, "", "consent", "--format", "json", "--status", "refused")), "\n"); len(lines) != 1 || !strings.Contains(lines[0], `"person":"wmA"`) {
		t.Errorf("consent: %q", lines)
	}
	if all := strings.Split(strings.TrimSpace(run(0, "", "consent", "--format", "csv")), "\n"); len(all) < 3 {
		t.Errorf("consent: %q", all)
	}
	c.set(func() { c.old = true })
	for _, args := range [][]string{{"reindex"}, {"compact"}, {"reparse"}, {"consent"}} {
		run(1, "of another version", args...)
	}
	c.took()
	s.checkSamples(t, functions)
}

// checkSamples gives the functions the samples below events/.
func (s *lambdas) checkSamples(t *testing.T, functions map[string]*runtimeapi.Function) {
	t.Helper()
	for name, mode := range map[string]string{"reindexer/reindex": "reindex", "reindexer/drop": "reindex", "compactor/compact": "compact", "compactor/recompact": "recompact", "compactor/reparse": "reparse"} {
		function, _, _ := strings.Cut(name, "/")
		f := functions["example-"+function]
		doc, err := f.Invoke(t.Context(), sample(t, name+".json"))
		var answer upkeep.Answer
		if err != nil || json.Unmarshal(doc, &answer) != nil || string(answer.Mode) != mode || answer.More || len(answer.Report) == 0 {
			t.Errorf("%s: %s, %v\n%s", name, doc, err, f.Log())
		}
	}
	doc, err := functions["example-compactor"].Invoke(t.Context(), sample(t, "compactor/consent.json"))
	var reply consent.Reply
	if err != nil || json.Unmarshal(doc, &reply) != nil || reply.Mode != consent.ModeConsent || reply.Next != nil {
		t.Errorf("consent: %s, %v", doc, err)
	}
	for _, f := range functions {
		if answer, err := f.Invoke(t.Context(), []byte(`{"mode":"another"}`)); err == nil {
			t.Errorf("a mode of another version is answered: %s", answer)
		}
	}
}

// conversations are those of the last days, as lists have them.
func (s *lambdas) conversations(t *testing.T) (ids []string) {
	t.Helper()
	for back := range 3 {
		day, err := s.catalog.Conversations.ActiveConversations(t.Context(), archive.Day(time.Now().AddDate(0, 0, -back)), "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, day...)
	}
	return ids
}

// employee is one who talks to somebody outside rooms.
func (s *lambdas) employee(t *testing.T) string {
	t.Helper()
	for _, id := range s.conversations(t) {
		for _, p := range chat.PairOf(id) {
			if p.Kind == chat.Employee {
				return p.ID
			}
		}
	}
	t.Fatal("nobody talks")
	return ""
}

// aliases counts the events that say so.
func (s *lambdas) aliases(t *testing.T) (n int) {
	t.Helper()
	for info, err := range s.objects.List(t.Context(), archive.EventsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(info.Key, "/alias-") {
			n++
		}
	}
	return n
}

// drain takes all messages of the archiver's queue.
func drain(t *testing.T, s *lambdas) (bodies []string) {
	t.Helper()
	url := s.setting("WECOM_ARCHIVE_QUEUE_URL")
	for {
		got, err := s.queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Messages) == 0 {
			return bodies
		}
		for _, m := range got.Messages {
			bodies = append(bodies, aws.ToString(m.Body))
			if _, err := s.queues.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
