package awsstore_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/store"
)

// parameters answers every request with one reply and keeps the request.
type parameters struct {
	status int
	reply  string
	calls  int
	target string
	body   map[string]any
}

func (p *parameters) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.calls++
	p.target, p.body = r.Header.Get("X-Amz-Target"), nil
	_ = json.NewDecoder(r.Body).Decode(&p.body)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(p.status)
	w.Write([]byte(p.reply))
}

func (p *parameters) secrets(t *testing.T) *awsstore.Secrets {
	t.Helper()
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	client := ssm.New(ssm.Options{
		BaseEndpoint: &server.URL, Region: "cn-north-1", Retryer: patient(),
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
	return awsstore.NewSecrets(client, "/wecom-archive/prod/", "alias/ops")
}

func TestSecretsGet(t *testing.T) {
	const wrongType = `{"Parameter":{"Name":"n","Type":"String","Value":"leaky"}}`
	for _, test := range []struct {
		name   string
		status int
		reply  string
		want   string
		err    error
	}{
		{"found", 200, `{"Parameter":{"Name":"n","Type":"SecureString","Value":"密钥 "}}`, "密钥 ", nil},
		{"unknown", 400, `{"__type":"ParameterNotFound"}`, "", store.ErrNotFound},
		{"no right", 400, `{"__type":"AccessDeniedException"}`, "", errAny},
		{"stored in the clear", 200, wrongType, "", errAny},
		{"empty reply", 200, `{}`, "", errAny},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &parameters{status: test.status, reply: test.reply}
			got, err := p.secrets(t).Get(t.Context(), "archive-secret")
			if got != test.want {
				t.Errorf("Get = %q", got)
			}
			switch {
			case test.err == errAny && (err == nil || errors.Is(err, store.ErrNotFound) || strings.Contains(err.Error(), "leaky")):
				t.Errorf("Get = %v, want another error that does not quote the value", err)
			case test.err != errAny && !errors.Is(err, test.err):
				t.Errorf("Get = %v, want %v", err, test.err)
			}
			if p.target != "AmazonSSM.GetParameter" || p.body["Name"] != "/wecom-archive/prod/archive-secret" || p.body["WithDecryption"] != true {
				t.Errorf("request %s %v", p.target, p.body)
			}
		})
	}
}

func TestSecretsSet(t *testing.T) {
	p := &parameters{status: 200, reply: `{"Version":2}`}
	secrets := p.secrets(t)
	if err := secrets.Set(t.Context(), "archive-secret", "s3cret"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"Name": "/wecom-archive/prod/archive-secret", "Value": "s3cret", "Type": "SecureString", "KeyId": "alias/ops", "Overwrite": true,
	} {
		if p.body[name] != want {
			t.Errorf("%s = %v, want %v", name, p.body[name], want)
		}
	}
	for _, bad := range [][2]string{
		{"", "v"}, {"n", ""}, {"../other/n", "v"}, {"a/b", "v"}, {"a b", "v"}, {"密", "v"}, {"n", "\xff"}, {"n", strings.Repeat("长", 1366)},
	} {
		if err := secrets.Set(t.Context(), bad[0], bad[1]); err == nil || strings.Contains(err.Error(), "长") {
			t.Errorf("Set(%q, %.5q) = %v", bad[0], bad[1], err)
		}
	}
	if _, err := secrets.Get(t.Context(), "../other/n"); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get beside the prefix = %v", err)
	}
	if p.calls != 1 {
		t.Errorf("%d requests, want 1: what is refused is not sent", p.calls)
	}
	p.status, p.reply = 400, `{"__type":"ValidationException","message":"no"}`
	if err := secrets.Set(t.Context(), "n", "topsecret"); err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("Set refused by AWS = %v", err)
	}
}
