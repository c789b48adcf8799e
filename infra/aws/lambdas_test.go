//go:build aws

package awstest

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	locals3 "wecom-archive/infra/aws/s3"
	"wecom-archive/infra/runtimeapi"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/keyring"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
	"wecom-archive/shared/wecom/wecomtest"
)

const spoken = 300

// lambdas is what the template makes, in stand-ins.
type lambdas struct {
	env     []string
	secret  string
	key     string // of KMS
	objects *awsstore.Objects
	derived *awsstore.Derived
	catalog *catalog.Catalog
	ring    *keyring.Ring
	secrets *awsstore.Secrets
	queues  *sqs.Client
}

func startLambdas(t *testing.T) *lambdas {
	t.Helper()
	moto := os.Getenv("WECOM_ARCHIVE_TEST_MOTO")
	if moto == "" {
		t.Fatal("WECOM_ARCHIVE_TEST_MOTO is not set: run `make test-aws`, which starts the stand-in")
	}
	server, err := locals3.Start(t.Context(), locals3.Config{Root: t.TempDir(), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, days := range map[string]int32{exampleBucket: 1, derivedBucket: 0} {
		if err := server.CreateBucket(t.Context(), name, days); err != nil {
			t.Fatal(err)
		}
	}
	s := &lambdas{
		secret: rand.Text(), objects: awsstore.NewObjects(server.Client(), server.Presigner(), exampleBucket),
		derived: awsstore.NewDerived(server.Client(), derivedBucket),
	}
	credentials := server.Client().Options().Credentials
	signer, err := credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cfg := aws.Config{Region: "us-east-1", BaseEndpoint: &moto, Credentials: credentials}
	name := fmt.Sprintf("%s-%d", t.Name(), os.Getpid())
	db := dynamodb.NewFromConfig(cfg)
	if _, err := db.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("p"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("s"), KeyType: types.KeyTypeRange}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("p"), AttributeType: types.ScalarAttributeTypeS}, {AttributeName: aws.String("s"), AttributeType: types.ScalarAttributeTypeS}},
	}); err != nil {
		t.Fatal(err)
	}
	key, err := kms.NewFromConfig(cfg).CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	keyID := *key.KeyMetadata.KeyId
	s.key = keyID
	s.queues = sqs.NewFromConfig(cfg)
	queue, err := s.queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	prefix := "/wecom-archive/" + name + "/"
	s.secrets = awsstore.NewSecrets(ssm.NewFromConfig(cfg), prefix, keyID)
	if err := s.secrets.Set(t.Context(), store.SecretArchive, s.secret); err != nil {
		t.Fatal(err)
	}
	s.catalog = catalog.New(awsstore.NewIndex(db, name))
	s.ring = keyring.New(keyring.Config{
		Corp: corpID, Objects: s.objects, Port: awsstore.NewKeyring(kms.NewFromConfig(cfg), keyID),
		Keys: s.catalog.Keys, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	s.env = []string{
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=" + signer.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + signer.SecretAccessKey,
		"AWS_ENDPOINT_URL=" + moto, "AWS_ENDPOINT_URL_S3=" + server.Endpoint(),
		"WECOM_ARCHIVE_CORP=" + corpID, "WECOM_ARCHIVE_BUCKET=" + exampleBucket, "WECOM_ARCHIVE_DERIVED=" + derivedBucket, "WECOM_ARCHIVE_STACK=example", "WECOM_ARCHIVE_TABLE=" + name,
		"WECOM_ARCHIVE_QUEUE_URL=" + *queue.QueueUrl, "WECOM_ARCHIVE_SECRET_PREFIX=" + prefix,
		"WECOM_ARCHIVE_CAPTURE_KEY=" + *key.KeyMetadata.Arn, "WECOM_ARCHIVE_KEYRING_KEY=" + keyID,
	}
	return s
}

// startCorp makes the corp, with a key of ours, and the address where the library
// reaches it.
func (s *lambdas) startCorp(t *testing.T) (corp *wecomtest.Corp, proxy string) {
	t.Helper()
	now := time.Now()
	corp, err := wecomtest.New(wecomtest.Config{
		Corp: corpID, Secret: s.secret, Extents: []wecomtest.Extent{{Count: spoken, From: now.Add(-time.Hour), To: now}},
	})
	if err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if _, err := s.ring.Import(t.Context(), "test", text); err != nil {
		t.Fatal(err)
	}
	if _, err := corp.UploadKey(&key.PublicKey); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(corp.SDKHandler())
	t.Cleanup(server.Close)
	return corp, server.URL
}

func (s *lambdas) start(t *testing.T, binary string, env []string) *runtimeapi.Function {
	t.Helper()
	f, err := runtimeapi.Start(t.Context(), binary, env...)
	if err != nil {
		t.Fatal(err)
	}
	f.Timeout = 90 * time.Second
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// checkRows: all messages are archived byte for byte, but the one that kills.
func (s *lambdas) checkRows(t *testing.T, corp *wecomtest.Corp, killer int) {
	t.Helper()
	seen := 0
	for info, err := range s.objects.List(t.Context(), archive.SegmentsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		stored, err := store.ReadObject(t.Context(), s.objects, info.Key)
		if err != nil {
			t.Fatal(err)
		}
		_, rows, err := segment.Decode(stored)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			seen++
			want, err := corp.Served(row.Position)
			if err != nil {
				t.Fatal(err)
			}
			if row.Position == killer {
				if row.Outcome != archive.OutcomeCrash {
					t.Errorf("the message that kills: %s", row.Outcome)
				}
				continue
			}
			if row.Seq != int64(want.Seq) || !bytes.Equal(row.Raw, want.Raw) {
				t.Errorf("message %d: %s, %d bytes, want %d", row.Position, row.Outcome, len(row.Raw), len(want.Raw))
			}
		}
	}
	if seen != spoken {
		t.Errorf("%d rows, want %d", seen, spoken)
	}
}
