//go:build aws

package awstest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	locals3 "wecom-archive/infra/aws/s3"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/awsevents"
	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/capture"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/keyring"
	"wecom-archive/shared/localstore"
	"wecom-archive/shared/store"
	"wecom-archive/shared/wecom/wecomtest"
)

const (
	corpID     = "ww5117a9e0c0ffee01"
	messages   = 5000
	bucket     = "archive"
	secretName = "archive-secret"
	keyCount   = 2
)

// stack says where everything is. A process that works on it needs no more than
// this, so it can be killed, and another one goes on.
type stack struct {
	S3, S3ID, S3Secret string // endpoint and credentials
	DynamoDB, AWS      string // endpoints
	Table, Key, Queue  string // of the index, the KMS key, the queue's URL
	Secrets            string // path in Parameter Store
	Began              time.Time
	PageSize           int // messages
}

// newStack makes everything a stack has but code, and does what the operator
// does: imports keys (moto makes no pairs) and sets the secret.
func newStack(t *testing.T, pageSize int) (s stack, root string) {
	t.Helper()
	root = t.TempDir()
	server, err := locals3.Start(t.Context(), locals3.Config{Root: root, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := server.CreateBucket(t.Context(), bucket, 30); err != nil {
		t.Fatal(err)
	}
	signer, err := server.Client().Options().Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	name := t.Name() + "-" + rand.Text()[:8]
	s = stack{
		S3: server.Endpoint(), S3ID: signer.AccessKeyID, S3Secret: signer.SecretAccessKey,
		DynamoDB: address(t, "WECOM_ARCHIVE_TEST_DYNALITE"), AWS: address(t, "WECOM_ARCHIVE_TEST_MOTO"),
		Table: name, Secrets: "/" + name + "/", Began: time.Now().Truncate(time.Millisecond), PageSize: pageSize,
	}
	s.makeTable(t)
	key, err := kms.NewFromConfig(s.config(s.AWS)).CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	s.Key = *key.KeyMetadata.KeyId
	queue, err := sqs.NewFromConfig(s.config(s.AWS)).CreateQueue(t.Context(), &sqs.CreateQueueInput{
		QueueName: &name, Attributes: map[string]string{"VisibilityTimeout": "2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Queue = *queue.QueueUrl

	objects, catalog, _ := s.stores()
	if err := s.secrets().Set(t.Context(), secretName, rand.Text()); err != nil {
		t.Fatal(err)
	}
	for i := range keyCount {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})
		if _, err := s.ring(objects, catalog).Import(t.Context(), keyID(i), text); err != nil {
			t.Fatal(err)
		}
	}
	return s, root
}

func keyID(i int) string { return fmt.Sprintf("key-%d", i+1) }

// address is that of a stand-in that test.sh started.
func address(t *testing.T, variable string) string {
	t.Helper()
	url := os.Getenv(variable)
	if url == "" {
		t.Fatalf("%s is not set: run `make test-aws`, which starts the stand-in", variable)
	}
	return url
}

func (s stack) config(endpoint string) aws.Config {
	return aws.Config{Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")}
}

func (s stack) makeTable(t *testing.T) {
	t.Helper()
	client := dynamodb.NewFromConfig(s.config(s.DynamoDB))
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &s.Table, BillingMode: types.BillingModePayPerRequest,
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("p"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("s"), KeyType: types.KeyTypeRange},
		},
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("p"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("s"), AttributeType: types.ScalarAttributeTypeS},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	waiter := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay = time.Millisecond })
	if err := waiter.Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: &s.Table}, 30*time.Second); err != nil {
		t.Fatal(err)
	}
}

// stores are the archive bucket, which tells the queue about new pages as S3 does,
// the index and the queue.
func (s stack) stores() (store.Objects, *catalog.Catalog, store.Notifier) {
	queue := awsstore.NewNotifier(sqs.NewFromConfig(s.config(s.AWS)), s.Queue, bucket)
	objects := localstore.Announcing(s.lock(),
		localstore.ByPrefix(map[string]store.Notifier{archive.PagesPrefix: queue}))
	return objects, catalog.New(awsstore.NewIndex(dynamodb.NewFromConfig(s.config(s.DynamoDB)), s.Table)), queue
}

// lock is the archive bucket, as what locks.
func (s stack) lock() *awsstore.Objects {
	cfg := s.config(s.S3)
	cfg.Region, cfg.Credentials = locals3.Region, credentials.NewStaticCredentialsProvider(s.S3ID, s.S3Secret, "")
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	return awsstore.NewObjects(client, s3.NewPresignClient(client), bucket)
}

func (s stack) secrets() store.Secrets {
	return awsstore.NewSecrets(ssm.NewFromConfig(s.config(s.AWS)), s.Secrets, s.Key)
}

func (s stack) ring(objects store.Objects, catalog *catalog.Catalog) *keyring.Ring {
	port := awsstore.NewKeyring(kms.NewFromConfig(s.config(s.AWS)), s.Key)
	return keyring.New(keyring.Config{Corp: corpID, Objects: objects, Port: port, Keys: catalog.Keys, Now: time.Now})
}

// corp is the simulated one. Every process makes the same.
func (s stack) corp(ctx context.Context, ring *keyring.Ring) (*wecomtest.Corp, *wecomtest.Client, error) {
	secret, err := s.secrets().Get(ctx, secretName)
	if err != nil {
		return nil, nil, err
	}
	corp, err := wecomtest.New(wecomtest.Config{
		Corp: corpID, Secret: secret, Seed: 7, Unreadable: 500, KeyChanges: []int{messages / 2}, Unmetered: true,
		Extents: []wecomtest.Extent{{Count: messages, From: s.Began.Add(-72 * time.Hour), To: s.Began.Add(-time.Hour)}},
	})
	if err != nil {
		return nil, nil, err
	}
	for i := range keyCount {
		record, err := ring.Record(ctx, keyID(i))
		if err != nil {
			return nil, nil, err
		}
		public, err := keyring.ParsePublicPEM([]byte(record.PublicPEM))
		if err != nil {
			return nil, nil, err
		}
		if _, err := corp.UploadKey(public); err != nil {
			return nil, nil, err
		}
	}
	return corp, corp.NewClient(corpID, secret), nil
}

// work pulls and archives until nothing is left, as the functions do: a page is
// worked on when the queue says so, and a page whose message was lost is queued
// again by the puller.
func (s stack) work(ctx context.Context) error {
	objects, index, queue := s.stores()
	ring := s.ring(objects, index)
	corp, chats, err := s.corp(ctx, ring)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	puller := capture.New(capture.Config{
		Corp: corpID, Objects: objects, Lock: s.lock(), Pages: index.Pages, Journal: index.Journal, Keys: index.Keys, Holes: index.Journal, Findings: damage.New(objects, index.Table, corpID, time.Now), Queue: queue, Chats: chats, Seats: corp, Now: time.Now,
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Owner: rand.Text(), NewID: rand.Text, Log: log, Program: "test", SDKVersion: "simulator",
		// A killed run's lease, and its lost messages, are waited for.
		Limit: s.PageSize, LeaseTTL: time.Second, RequeueAfter: time.Second,
	})
	archiver := decode.New(decode.Config{
		Corp: corpID, Program: "test", Objects: objects, Lock: s.lock(), Keys: ring, Library: wecomtest.Library{}, Now: time.Now, Log: log,
		Conversations: index.Conversations, People: index.People, Consents: index.Consents,
		Media: index.Media, Pages: index.Pages, Holes: index.Journal, Findings: damage.New(objects, index.Table, corpID, time.Now),
	})
	if err := archiver.Ready(ctx); err != nil {
		return err
	}
	batch := &awsevents.Batch{Bucket: bucket, Work: archiver.Handle, Parallel: 2, Log: log}
	for {
		run, err := puller.Run(ctx)
		var held *catalog.LeaseHeldError
		if err != nil && !errors.As(err, &held) {
			return err
		}
		if err := s.drain(ctx, batch); err != nil {
			return err
		}
		pending, err := index.Pages.PendingPages(ctx, 0, 1)
		if err != nil || run.Stopped == capture.StoppedEnd && len(pending) == 0 {
			return err
		}
	}
}

// drain does for the archiver what its event source does: it takes messages from
// the queue, and deletes those that did not fail.
func (s stack) drain(ctx context.Context, batch *awsevents.Batch) error {
	client := sqs.NewFromConfig(s.config(s.AWS))
	for {
		in, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &s.Queue, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
		if err != nil || len(in.Messages) == 0 {
			return err
		}
		var event events.SQSEvent
		handles := map[string]*string{}
		for _, m := range in.Messages {
			event.Records = append(event.Records, events.SQSMessage{MessageId: *m.MessageId, Body: *m.Body})
			handles[*m.MessageId] = m.ReceiptHandle
		}
		response, err := batch.Handle(ctx, event)
		if err != nil {
			return err
		}
		for _, failed := range response.BatchItemFailures {
			delete(handles, failed.ItemIdentifier)
		}
		for _, handle := range handles {
			if _, err := client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &s.Queue, ReceiptHandle: handle}); err != nil {
				return err
			}
		}
	}
}
