//go:build aws

package awsstore_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"wecom-archive/shared/awsevents"
	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// Addresses of the stand-ins; infra/aws/test.sh starts them and sets these.
const (
	motoVar     = "WECOM_ARCHIVE_TEST_MOTO"     // DynamoDB, KMS, Parameter Store, SQS
	dynaliteVar = "WECOM_ARCHIVE_TEST_DYNALITE" // DynamoDB
)

// standIn is the configuration of clients of a stand-in.
func standIn(t *testing.T, variable string) aws.Config {
	t.Helper()
	url := os.Getenv(variable)
	if url == "" {
		t.Fatalf("%s is not set: run `make test-aws`, which starts the stand-in", variable)
	}
	config := aws.Config{
		Region: "us-east-1", BaseEndpoint: &url,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	}
	if variable == motoVar {
		config.HTTPClient = &oneByOne{}
	}
	return config
}

// oneByOne sends one request at a time. moto checks a condition and writes in two
// steps, so of racing conditional writes now and then two win; dynalite shows
// that races are decided.
type oneByOne struct{ mu sync.Mutex }

func (o *oneByOne) Do(r *http.Request) (*http.Response, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return http.DefaultClient.Do(r)
}

var tables atomic.Int64

// newTable makes a table as template.yaml does.
func newTable(t *testing.T, variable string, options ...func(*dynamodb.Options)) *awsstore.Index {
	t.Helper()
	client := dynamodb.NewFromConfig(standIn(t, variable), options...)
	name := fmt.Sprintf("index-%d-%d", os.Getpid(), tables.Add(1))
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("p"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("s"), KeyType: types.KeyTypeRange},
		},
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("p"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("s"), AttributeType: types.ScalarAttributeTypeS},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	waiter := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay = 1e6 })
	if err := waiter.Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: &name}, 30e9); err != nil {
		t.Fatal(err)
	}
	return awsstore.NewIndex(client, name)
}

func TestIndexOnStandIns(t *testing.T) {
	for _, variable := range []string{motoVar, dynaliteVar} {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			storetest.TestIndex(t, func(t *testing.T) store.Index { return newTable(t, variable) })
		})
	}
}

func newKMSKey(t *testing.T) string {
	t.Helper()
	out, err := kms.NewFromConfig(standIn(t, motoVar)).CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	return *out.KeyMetadata.KeyId
}

// TestWrapOnStandIn: Encrypt and Decrypt under an encryption context. moto cannot
// make key pairs: TestKeyring has a KMS of its own for that.
func TestWrapOnStandIn(t *testing.T) {
	client := kms.NewFromConfig(standIn(t, motoVar))
	keyring := awsstore.NewKeyring(client, newKMSKey(t))
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	kc := store.KeyContext{Corp: "ww5117a9e0c0ffee01", Key: "imported-导入"}
	wrapped, err := keyring.Wrap(t.Context(), kc, pkcs8)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := keyring.Unwrap(t.Context(), kc, wrapped); err != nil || !bytes.Equal(got, pkcs8) {
		t.Errorf("Unwrap gives %d bytes, %v", len(got), err)
	}
	for name, unwrap := range map[string]func() ([]byte, error){
		"another key id": func() ([]byte, error) {
			return keyring.Unwrap(t.Context(), store.KeyContext{Corp: kc.Corp, Key: "other"}, wrapped)
		},
		"a byte changed": func() ([]byte, error) {
			damaged := bytes.Clone(wrapped)
			damaged[len(damaged)-1] ^= 1
			return keyring.Unwrap(t.Context(), kc, damaged)
		},
		"cut": func() ([]byte, error) { return keyring.Unwrap(t.Context(), kc, wrapped[:len(wrapped)-1]) },
	} {
		if got, err := unwrap(); !errors.Is(err, store.ErrDamaged) || got != nil {
			t.Errorf("%s: Unwrap gives %d bytes, %v", name, len(got), err)
		}
	}
}

func TestSecretsOnStandIn(t *testing.T) {
	client, key := ssm.NewFromConfig(standIn(t, motoVar)), newKMSKey(t)
	prefix := fmt.Sprintf("/wecom-archive/test-%d/", os.Getpid())
	storetest.TestSecrets(t, func(t *testing.T) store.Secrets { return awsstore.NewSecrets(client, prefix, key) })

	out, err := client.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String(prefix + "archive-secret")})
	if err != nil || out.Parameter.Type != "SecureString" || aws.ToString(out.Parameter.Value) == "replaced" {
		t.Errorf("the parameter is stored as %+v, %v; want a SecureString that does not show its value", out, err)
	}
}

// TestNotifierOnStandIn: what is sent arrives as the archiver reads it.
func TestNotifierOnStandIn(t *testing.T) {
	client := sqs.NewFromConfig(standIn(t, motoVar))
	out, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(fmt.Sprint("pages-", os.Getpid()))})
	if err != nil {
		t.Fatal(err)
	}
	want := pageKeys(25)
	if err := awsstore.NewNotifier(client, *out.QueueUrl, "bucket").Notify(t.Context(), want...); err != nil {
		t.Fatal(err)
	}
	var got []string
	for range 25 { // a receive may give fewer than it could
		in, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: out.QueueUrl, MaxNumberOfMessages: 10})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range in.Messages {
			objects, err := awsevents.Created(*m.Body)
			if err != nil || len(objects) != 1 || objects[0].Bucket != "bucket" {
				t.Fatalf("message %s names %v, %v", *m.Body, objects, err)
			}
			got = append(got, objects[0].Key)
		}
		if len(got) >= len(want) {
			break
		}
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("received %q", got)
	}
}

// TestUnitsOnStandIn: storetest.UnitCounter counts what dynalite says that each
// call took. (moto makes capacity up.)
func TestUnitsOnStandIn(t *testing.T) {
	var meter awsstore.Meter
	counter := storetest.NewUnitCounter()
	index := newTable(t, dynaliteVar, func(o *dynamodb.Options) { o.APIOptions = append(o.APIOptions, meter.Attach) })
	counted := counter.Index(storetest.NewIndex())
	item := func(sort string, size int) store.Item {
		return store.Item{Partition: "conversation#room:x", Sort: sort, Value: bytes.Repeat([]byte("x"), size)}
	}
	ctx := t.Context()
	for _, test := range []struct {
		name string
		call func(x store.Index) error
	}{
		{"new", func(x store.Index) error { return x.Put(ctx, item("a", 10), item("b", 1100), item("c", 2500)) }},
		{"replaced", func(x store.Index) error { return x.Put(ctx, item("a", 3500), item("b", 11)) }},
		{"new, on a condition", func(x store.Index) error { return x.PutIf(ctx, item("d", 1500)) }},
		{"get", func(x store.Index) error { _, err := x.Get(ctx, "conversation#room:x", "a"); return err }},
		{"get many", func(x store.Index) error {
			_, err := x.GetMany(ctx, item("a", 0), item("none", 0), item("c", 0))
			return err
		}},
		{"query", func(x store.Index) error {
			_, err := x.Query(ctx, store.IndexQuery{Partition: "conversation#room:x", Limit: 10})
			return err
		}},
		{"delete", func(x store.Index) error { return x.Delete(ctx, item("a", 0), item("b", 0), item("none", 0)) }},
	} {
		meter.Reset()
		counter.Reset()
		if err := errors.Join(test.call(index), test.call(counted)); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		said, got := meter.Capacity(), counter.Units()
		if said.Write != float64(got.Write) || said.Read != float64(got.Read) {
			t.Errorf("%s: dynalite says %+v, we count %+v", test.name, said, got)
		}
	}
}
