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
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	locals3 "wecom-archive/infra/local/s3"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/awsevents"
	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/capture"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/keyring"
	"wecom-archive/shared/localstore"
	"wecom-archive/shared/wecom/wecomtest"
)

const (
	corpID   = "ww5117a9e0c0ffee01"
	messages = 5000
	bucket   = "archive"
	pageSize = 250 // more pages than a real puller makes of so few messages
)

// standIn is the configuration of clients of a stand-in that test.sh started.
func standIn(t *testing.T, variable string) aws.Config {
	t.Helper()
	url := os.Getenv(variable)
	if url == "" {
		t.Fatalf("%s is not set: run `make test-aws`, which starts the stand-in", variable)
	}
	return aws.Config{Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")}
}

// newIndex makes a table of its own.
func newIndex(t *testing.T, variable string) *awsstore.Index {
	t.Helper()
	client := dynamodb.NewFromConfig(standIn(t, variable))
	table := fmt.Sprintf("pipeline-%d", os.Getpid())
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &table, BillingMode: types.BillingModePayPerRequest,
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
	if err := waiter.Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: &table}, 30*time.Second); err != nil {
		t.Fatal(err)
	}
	return awsstore.NewIndex(client, table)
}

// queue holds SQS messages about new pages, as S3 sends them.
type queue struct {
	mu       sync.Mutex
	messages []events.SQSMessage
	sent     int
}

// Notify implements archive.Notifier.
func (q *queue) Notify(_ context.Context, keys ...string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, key := range keys {
		body, err := awsevents.Message(awsevents.Object{Bucket: bucket, Key: key})
		if err != nil {
			return err
		}
		q.sent++
		q.messages = append(q.messages, events.SQSMessage{MessageId: fmt.Sprint("message-", q.sent), Body: body})
	}
	return nil
}

// receive takes at most ten messages, which is SQS's batch.
func (q *queue) receive() (e events.SQSEvent) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(10, len(q.messages))
	e.Records, q.messages = q.messages[:n:n], q.messages[n:]
	return e
}

// TestPipeline archives what a simulated corp says, with every port on the AWS
// adapters, and finds each message as it was said.
func TestPipeline(t *testing.T) {
	server, err := locals3.Start(t.Context(), locals3.Config{Root: t.TempDir(), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := server.CreateBucket(t.Context(), bucket, 30); err != nil {
		t.Fatal(err)
	}
	work := &queue{}
	objects := localstore.Announcing(awsstore.NewObjects(server.Client(), server.Presigner(), bucket),
		localstore.ByPrefix(map[string]archive.Notifier{archive.PagesPrefix: work}))
	catalog := archive.NewCatalog(newIndex(t, "WECOM_ARCHIVE_TEST_DYNALITE"))
	ring, secrets := newRing(t, objects, catalog)
	corp, chats := newCorp(t, ring, secrets)

	log := slog.New(slog.DiscardHandler)
	puller := capture.New(capture.Config{
		Corp: corpID, Objects: objects, Catalog: catalog, Queue: work, Chats: chats, Seats: corp, Now: time.Now,
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Owner: "test", NewID: rand.Text, Log: log, Program: "test", SDKVersion: "simulator", Limit: pageSize,
	})
	archiver := decode.New(decode.Config{
		Corp: corpID, Program: "test", Objects: objects, Catalog: catalog, Keys: ring, Library: wecomtest.Library{}, Now: time.Now, Log: log,
	})
	if err := archiver.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if run, err := puller.Run(t.Context()); err != nil || run.Stopped != capture.StoppedEnd || run.Envelopes != messages {
		t.Fatalf("run %+v, %v", run, err)
	}
	drain(t, work, &awsevents.Batch{Bucket: bucket, Work: archiver.Handle, Parallel: 2})
	checkArchive(t, corp, objects, catalog)
}

// newRing keeps private keys under a KMS key, and the secret in Parameter Store.
func newRing(t *testing.T, objects archive.Objects, catalog *archive.Catalog) (*keyring.Ring, archive.Secrets) {
	t.Helper()
	cfg := standIn(t, "WECOM_ARCHIVE_TEST_MOTO")
	client := kms.NewFromConfig(cfg)
	out, err := client.CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	id := *out.KeyMetadata.KeyId
	ring := keyring.New(keyring.Config{Corp: corpID, Objects: objects, Port: awsstore.NewKeyring(client, id), Catalog: catalog, Now: time.Now})
	return ring, awsstore.NewSecrets(ssm.NewFromConfig(cfg), fmt.Sprintf("/pipeline-%d/", os.Getpid()), id)
}

// newCorp has a corp that uses two of our keys, and a client with the secret as
// Parameter Store returns it. The keys are imported: moto makes no pairs.
func newCorp(t *testing.T, ring *keyring.Ring, secrets archive.Secrets) (*wecomtest.Corp, *wecomtest.Client) {
	t.Helper()
	secret := rand.Text()
	if err := secrets.Set(t.Context(), "archive-secret", secret); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	corp, err := wecomtest.New(wecomtest.Config{
		Corp: corpID, Secret: secret, Seed: 7, Unreadable: 500, KeyChanges: []int{messages / 2}, Unmetered: true,
		Extents: []wecomtest.Extent{{Count: messages, From: now.Add(-72 * time.Hour), To: now.Add(-time.Hour)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})
		if _, err := ring.Import(t.Context(), fmt.Sprintf("key-%d", i+1), text); err != nil {
			t.Fatal(err)
		}
		if _, err := corp.UploadKey(&private.PublicKey); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := secrets.Get(t.Context(), "archive-secret")
	if err != nil {
		t.Fatal(err)
	}
	return corp, corp.NewClient(corpID, stored)
}

// drain invokes the archiver's handler until the queue is empty.
func drain(t *testing.T, q *queue, batch *awsevents.Batch) {
	t.Helper()
	var failures []error
	work := batch.Work
	var mu sync.Mutex
	batch.Work = func(ctx context.Context, key string) error {
		err := work(ctx, key)
		mu.Lock()
		defer mu.Unlock()
		failures = append(failures, err)
		return err
	}
	for e := q.receive(); len(e.Records) > 0; e = q.receive() {
		response, err := batch.Handle(t.Context(), e)
		if err != nil || len(response.BatchItemFailures) > 0 {
			t.Fatalf("archiving: %+v, %v, %v", response, err, errors.Join(failures...))
		}
	}
}

// checkArchive compares the segments with what was said, and the index with the
// segments.
func checkArchive(t *testing.T, corp *wecomtest.Corp, objects archive.Objects, catalog *archive.Catalog) {
	t.Helper()
	ctx := t.Context()
	truth := map[int64]wecomtest.Message{}
	for i := range corp.Len() {
		m, err := corp.Served(i)
		if err != nil {
			t.Fatal(err)
		}
		truth[int64(m.Seq)] = m
	}
	rows, conversations := map[int64]int{}, map[string]int{}
	for info, err := range objects.List(ctx, archive.SegmentsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		body, err := archive.ReadObject(ctx, objects, info.Key)
		if err != nil {
			t.Fatal(err)
		}
		_, segment, err := archive.DecodeSegment(body)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range segment {
			rows[r.Seq]++
			said := truth[r.Seq]
			if r.Readable() != (said.Unreadable == "") || r.Readable() && string(r.Raw) != string(said.Raw) {
				t.Errorf("seq %d is %s, not what was said (%q)", r.Seq, r.Outcome, said.Unreadable)
			}
			if r.Readable() {
				conversations[r.Conversation]++
			}
		}
	}
	for seq := range truth {
		if rows[seq] != 1 {
			t.Errorf("seq %d has %d rows", seq, rows[seq])
		}
	}
	if len(truth) != messages || len(rows) != messages {
		t.Errorf("%d messages were said, %d are archived, want %d", len(truth), len(rows), messages)
	}
	for conversation, want := range conversations {
		places, err := catalog.Places(ctx, archive.PlaceQuery{Conversation: conversation, Limit: messages})
		if err != nil || len(places) != want {
			t.Errorf("%s: %d places in the index, %v; want %d", conversation, len(places), err, want)
		}
	}
	cursor, err := catalog.Cursor(ctx)
	pending, pendingErr := catalog.PendingPages(ctx, 0, 10)
	if err != nil || pendingErr != nil || cursor.Envelopes != messages || cursor.Pages != messages/pageSize || len(pending) > 0 {
		t.Errorf("cursor %+v, %v; pending %+v, %v", cursor, err, pending, pendingErr)
	}
}
