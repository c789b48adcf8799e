//go:build aws

package awstest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	locals3 "wecom-archive/infra/aws/s3"
	"wecom-archive/infra/runtimeapi"
)

// root is the repository, as long as nobody has changed the working directory: the
// embedded S3 does.
var root, _ = filepath.Abs(filepath.Join("..", ".."))

// bootstrap builds a function as the stack does, for this machine.
func bootstrap(t *testing.T, function string) string {
	t.Helper()
	return binary(t, "./functions/"+function)
}

func binary(t *testing.T, folder string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "bootstrap")
	command := exec.CommandContext(t.Context(), "go", "build", "-tags", "lambda.norpc", "-trimpath", "-o", out, folder)
	command.Dir = root
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := command.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", folder, err, text)
	}
	return out
}

// TestAdminBootstrap runs the real binary of the API's function through the Runtime
// API, on the sample events, and as a fresh operator may have set it up wrongly.
func TestAdminBootstrap(t *testing.T) {
	binary := bootstrap(t, "admin")
	server, err := locals3.Start(t.Context(), locals3.Config{Root: t.TempDir(), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for name, days := range map[string]int32{"locked": 1, "open": 0} {
		if err := server.CreateBucket(t.Context(), name, days); err != nil {
			t.Fatal(err)
		}
	}
	signer, err := server.Client().Options().Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	moto := os.Getenv("WECOM_ARCHIVE_TEST_MOTO")
	if moto == "" {
		t.Fatal("WECOM_ARCHIVE_TEST_MOTO is not set: run `make test-aws`, which starts the stand-in")
	}
	table := fmt.Sprintf("bootstrap-%d", os.Getpid())
	db := dynamodb.New(dynamodb.Options{Region: "us-east-1", BaseEndpoint: &moto, Credentials: server.Client().Options().Credentials})
	if _, err := db.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &table, BillingMode: types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("p"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("s"), KeyType: types.KeyTypeRange}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("p"), AttributeType: types.ScalarAttributeTypeS}, {AttributeName: aws.String("s"), AttributeType: types.ScalarAttributeTypeS}},
	}); err != nil {
		t.Fatal(err)
	}
	env := []string{
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=" + signer.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + signer.SecretAccessKey,
		"AWS_ENDPOINT_URL_S3=" + server.Endpoint(), "AWS_ENDPOINT_URL_DYNAMODB=" + moto,
		"WECOM_ARCHIVE_BUCKET=locked", "WECOM_ARCHIVE_DERIVED=open", "WECOM_ARCHIVE_TABLE=" + table,
		"WECOM_ARCHIVE_CORP=ww5117a9e0c0ffee01", "WECOM_ARCHIVE_ROLES_CLAIM=cognito:groups",
		"WECOM_ARCHIVE_STACK=prod", "WECOM_ARCHIVE_SESSION_KEY=alias/sessions", "WECOM_ARCHIVE_ISSUER=https://issuer.example", "WECOM_ARCHIVE_AUDIENCE=client", "WECOM_ARCHIVE_CAPTURE_KEY=capture",
	}
	f, err := runtimeapi.Start(t.Context(), binary, env...)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.Timeout = 29 * time.Second
	// The samples' token is signed by nobody, and nobody has signed in.
	for name, status := range map[string]int{"healthz": 200, "status": 401, "messages": 401, "no-authorizer": 401, "page": 303} {
		event, err := os.ReadFile(filepath.Join(root, "events", "admin", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := f.Invoke(t.Context(), event)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, f.Log())
		}
		var a struct{ StatusCode int }
		if err := json.Unmarshal(answer, &a); err != nil || a.StatusCode != status {
			t.Errorf("%s: %v, want %d: %s", name, err, status, answer)
		}
	}
	if _, err := f.Invoke(t.Context(), []byte(`{"Records":[]}`)); err == nil {
		t.Error("an event that is no request was answered")
	}

	for what, test := range map[string]struct{ set, says string }{
		"no bucket":                {"WECOM_ARCHIVE_BUCKET=", "WECOM_ARCHIVE_BUCKET"},
		"no table":                 {"WECOM_ARCHIVE_TABLE=", "WECOM_ARCHIVE_TABLE"},
		"bucket does not lock":     {"WECOM_ARCHIVE_BUCKET=open", "open"},
		"bucket that is not there": {"WECOM_ARCHIVE_BUCKET=nowhere", "nowhere"},
	} {
		f, err := runtimeapi.Start(t.Context(), binary, append(env, test.set)...)
		if err != nil {
			t.Fatal(err)
		}
		err = f.Wait(t.Context())
		lines := strings.Split(strings.TrimSpace(f.Log()), "\n")
		if err == nil || len(lines) != 1 || !strings.Contains(lines[0], "cannot start") || !strings.Contains(lines[0], test.says) {
			t.Errorf("%s: %v: %q", what, err, lines)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
