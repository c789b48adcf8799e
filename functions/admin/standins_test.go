//go:build aws

package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestBuild starts the function as Lambda does, from its environment, on the
// stand-ins that infra/aws/test.sh started.
func TestBuild(t *testing.T) {
	moto := os.Getenv("WECOM_ARCHIVE_TEST_MOTO")
	if moto == "" {
		t.Fatal("WECOM_ARCHIVE_TEST_MOTO is not set: run `make test-aws`, which starts the stand-in")
	}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": moto, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret",
	} {
		t.Setenv(name, value)
	}
	locked, open := fmt.Sprintf("admin-locked-%d", os.Getpid()), fmt.Sprintf("admin-open-%d", os.Getpid())
	table := fmt.Sprintf("admin-%d", os.Getpid())
	makeStack(t, table, locked, open)

	log := slog.New(slog.DiscardHandler)
	env := map[string]string{
		"WECOM_ARCHIVE_BUCKET": open, "WECOM_ARCHIVE_DERIVED": open, "WECOM_ARCHIVE_TABLE": table, "WECOM_ARCHIVE_ROLES_CLAIM": "cognito:groups",
		"WECOM_ARCHIVE_STACK": "prod", "WECOM_ARCHIVE_SESSION_KEY": "alias/sessions", "WECOM_ARCHIVE_ISSUER": "https://issuer.example", "WECOM_ARCHIVE_AUDIENCE": "client", "WECOM_ARCHIVE_CAPTURE_KEY": "arn:aws:kms:ap-east-1:123456789012:key/11111111-2222-3333-4444-555555555555", "WECOM_ARCHIVE_CORP": "ww5117a9e0c0ffee01",
	}
	getenv := func(name string) string { return env[name] }
	if _, err := build(t.Context(), getenv, log); err == nil || !strings.Contains(err.Error(), open) {
		t.Errorf("build on a bucket that does not lock = %v", err)
	}
	env["WECOM_ARCHIVE_BUCKET"] = locked
	handler, err := build(t.Context(), getenv, log)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(sample(t, "healthz.json"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := lambda.NewHandler(handler).Invoke(t.Context(), payload)
	if err != nil || !strings.Contains(string(answer), `"statusCode":200`) {
		t.Errorf("healthz: %s, %v", answer, err)
	}
}

func makeStack(t *testing.T, table, locked, open string) {
	t.Helper()
	ctx := t.Context()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		t.Fatal(err)
	}
	db := dynamodb.NewFromConfig(cfg)
	_, err = db.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: &table, BillingMode: dbtypes.BillingModePayPerRequest,
		KeySchema: []dbtypes.KeySchemaElement{
			{AttributeName: aws.String("p"), KeyType: dbtypes.KeyTypeHash}, {AttributeName: aws.String("s"), KeyType: dbtypes.KeyTypeRange},
		},
		AttributeDefinitions: []dbtypes.AttributeDefinition{
			{AttributeName: aws.String("p"), AttributeType: dbtypes.ScalarAttributeTypeS},
			{AttributeName: aws.String("s"), AttributeType: dbtypes.ScalarAttributeTypeS},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	waiter := dynamodb.NewTableExistsWaiter(db, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay = time.Millisecond })
	if err := waiter.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &table}, 30*time.Second); err != nil {
		t.Fatal(err)
	}
	// moto finds buckets by their path only if asked for them so.
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	for _, bucket := range []string{locked, open} {
		if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket, ObjectLockEnabledForBucket: aws.Bool(bucket == locked)}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = client.PutObjectLockConfiguration(ctx, &s3.PutObjectLockConfigurationInput{
		Bucket: &locked, ObjectLockConfiguration: &s3types.ObjectLockConfiguration{
			ObjectLockEnabled: s3types.ObjectLockEnabledEnabled,
			Rule: &s3types.ObjectLockRule{DefaultRetention: &s3types.DefaultRetention{
				Mode: s3types.ObjectLockRetentionModeGovernance, Days: aws.Int32(1),
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}
