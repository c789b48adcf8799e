//go:build aws

package awstest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"wecom-archive/infra/runtimeapi"
	"wecom-archive/infra/sdkstandin"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/callback"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
)

const (
	callbackToken = "QDG6eK"
	callbackKey   = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
)

// TestNotifyIsPulled runs the real binaries of callback and puller: fifty notifies of
// WeCom, as API Gateway brings them, put one message on the queue when the delay is
// over, and what the queue then hands to the puller pulls what was said.
func TestNotifyIsPulled(t *testing.T) {
	callbackBinary, pullerBinary := bootstrap(t, "callback"), bootstrap(t, "puller")
	library, err := sdkstandin.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := startLambdas(t)
	_, proxy := s.startCorp(t)
	for name, value := range map[string]string{store.SecretCallbackToken: callbackToken, store.SecretCallbackKey: callbackKey} {
		if err := s.secrets.Set(t.Context(), name, value); err != nil {
			t.Fatal(err)
		}
	}
	name := "wakes-" + strings.ToLower(t.Name())
	wakes, err := s.queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	f := s.start(t, callbackBinary, append(s.env, "WECOM_ARCHIVE_WAKE_URL="+*wakes.QueueUrl, "WECOM_ARCHIVE_WAKE_DELAY=2s"))
	cipher, err := callback.NewCipher(callbackToken, callbackKey, corpID)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(nonce, message string) func(*events.APIGatewayV2HTTPRequest) {
		return func(r *events.APIGatewayV2HTTPRequest) {
			at, sealed := fmt.Sprint(time.Now().Unix()), cipher.Seal([16]byte{1}, []byte(message))
			q := url.Values{"msg_signature": {cipher.Signature(at, nonce, sealed)}, "timestamp": {at}, "nonce": {nonce}}
			if r.RequestContext.HTTP.Method == "GET" {
				q.Set("echostr", sealed)
			} else {
				r.Body = callback.Body(corpID, sealed)
			}
			r.RawQueryString = q.Encode()
		}
	}
	asItIs := func(*events.APIGatewayV2HTTPRequest) {}
	for _, event := range []string{"verify.json", "notify.json"} { // of years ago, and signed with another token
		if r := call(t, f, "callback/"+event, asItIs); r.StatusCode != 403 {
			t.Errorf("%s: %d", event, r.StatusCode)
		}
	}
	if r := call(t, f, "callback/verify.json", signed("n", "4711")); r.StatusCode != 200 || r.Body != "4711" {
		t.Errorf("verify: %d %q\n%s", r.StatusCode, r.Body, f.Log())
	}
	notify := "<xml><ToUserName>" + corpID + "</ToUserName><FromUserName>sys</FromUserName><CreateTime>" + fmt.Sprint(time.Now().Unix()) + "</CreateTime><MsgType>event</MsgType><Event>msgaudit_notify</Event></xml>"
	began := time.Now()
	for i := range 50 {
		if r := call(t, f, "callback/notify.json", signed(fmt.Sprint(i), notify)); r.StatusCode != 200 || r.Body != "success" {
			t.Fatalf("notify: %d %q\n%s", r.StatusCode, r.Body, f.Log())
		}
	}
	all := time.Since(began)
	s.checkApproved(t, f, signed)
	if strings.Contains(f.Log(), callbackToken) || strings.Contains(f.Log(), callbackKey) {
		t.Error("a secret is in the log")
	}
	var bodies []string
	for end := time.Now().Add(20 * time.Second); len(bodies) == 0 && time.Now().Before(end); {
		got, err := s.queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: wakes.QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range got.Messages {
			bodies = append(bodies, aws.ToString(m.Body))
		}
	}
	if most := 1 + int(all/(2*time.Second)); len(bodies) == 0 || len(bodies) > most {
		t.Fatalf("fifty notifies in %s became %d wakes, want at most %d\n%s", all, len(bodies), most, f.Log())
	}

	var wake events.SQSEvent
	if err := json.Unmarshal(sample(t, "puller/wake.json"), &wake); err != nil {
		t.Fatal(err)
	}
	wake.Records[0].Body = bodies[0]
	doc, err := json.Marshal(wake)
	if err != nil {
		t.Fatal(err)
	}
	f = s.start(t, pullerBinary, append(s.env, "WECOM_ARCHIVE_SDK="+library, "WECOM_ARCHIVE_PROXY="+proxy))
	answer, err := f.Invoke(t.Context(), doc)
	var run archive.Run
	if err != nil || json.Unmarshal(answer, &run) != nil || run.Envelopes != spoken {
		t.Errorf("puller: %s, %v\n%s", answer, err, f.Log())
	}
}

// checkApproved: that a customer agreed is stored, and stands in the index.
func (s *lambdas) checkApproved(t *testing.T, f *runtimeapi.Function, signed func(nonce, message string) func(*events.APIGatewayV2HTTPRequest)) {
	t.Helper()
	const customer, conversation = "wmQx9ZDAAAexampleCust01", "pair:li.na,wmQx9ZDAAAexampleCust01"
	at := time.Now().Truncate(time.Second)
	approved := "<xml><ToUserName>" + corpID + "</ToUserName><FromUserName>sys</FromUserName><CreateTime>" + fmt.Sprint(at.Unix()) + "</CreateTime><MsgType>event</MsgType>" +
		"<Event>change_external_contact</Event><ChangeType>msg_audit_approved</ChangeType><UserID>Li.Na</UserID><ExternalUserID>" + customer + "</ExternalUserID><WelcomeCode>w</WelcomeCode></xml>"
	if r := call(t, f, "callback/notify.json", signed("approved", approved)); r.StatusCode != 200 || r.Body != "success" {
		t.Fatalf("approved: %d %q\n%s", r.StatusCode, r.Body, f.Log())
	}
	state, err := s.catalog.Consents.ConsentOf(t.Context(), conversation)
	if err != nil || len(state.People) != 1 || state.People[0].Person != customer || state.People[0].Status != archive.ConsentAgreed ||
		state.People[0].Source != catalog.ConsentFromCallback || !state.People[0].Since.Equal(at) {
		t.Errorf("consent: %+v, %v", state, err)
	}
	stored := 0
	for info, err := range s.objects.List(t.Context(), archive.EventsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		var event archive.Callback
		if e, err := archive.GetEvent(t.Context(), s.objects, info.Key, &event); err != nil {
			t.Error(err)
		} else if e.Kind == archive.EventCallback && event.UserID == "Li.Na" && event.ExternalUserID == customer {
			stored++
		}
	}
	if stored != 1 {
		t.Errorf("%d events of it are stored", stored)
	}
}
