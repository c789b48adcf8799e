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
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/archive/archivetest"
	"wecom-archive/shared/awsstore"
)

// Addresses of the stand-ins; infra/aws/test.sh starts them and sets these.
const (
	motoVar     = "WECOM_ARCHIVE_TEST_MOTO"     // DynamoDB, KMS, Parameter Store
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
func newTable(t *testing.T, variable string) *awsstore.Index {
	t.Helper()
	client := dynamodb.NewFromConfig(standIn(t, variable))
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
			archivetest.TestIndex(t, func(t *testing.T) archive.Index { return newTable(t, variable) })
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
	kc := archive.KeyContext{Corp: "ww5117a9e0c0ffee01", Key: "imported-导入"}
	wrapped, err := keyring.Wrap(t.Context(), kc, pkcs8)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := keyring.Unwrap(t.Context(), kc, wrapped); err != nil || !bytes.Equal(got, pkcs8) {
		t.Errorf("Unwrap gives %d bytes, %v", len(got), err)
	}
	for name, unwrap := range map[string]func() ([]byte, error){
		"another key id": func() ([]byte, error) {
			return keyring.Unwrap(t.Context(), archive.KeyContext{Corp: kc.Corp, Key: "other"}, wrapped)
		},
		"a byte changed": func() ([]byte, error) {
			damaged := bytes.Clone(wrapped)
			damaged[len(damaged)-1] ^= 1
			return keyring.Unwrap(t.Context(), kc, damaged)
		},
		"cut": func() ([]byte, error) { return keyring.Unwrap(t.Context(), kc, wrapped[:len(wrapped)-1]) },
	} {
		if got, err := unwrap(); !errors.Is(err, archive.ErrDamaged) || got != nil {
			t.Errorf("%s: Unwrap gives %d bytes, %v", name, len(got), err)
		}
	}
}

func TestSecretsOnStandIn(t *testing.T) {
	client, key := ssm.NewFromConfig(standIn(t, motoVar)), newKMSKey(t)
	prefix := fmt.Sprintf("/wecom-archive/test-%d/", os.Getpid())
	archivetest.TestSecrets(t, func(t *testing.T) archive.Secrets { return awsstore.NewSecrets(client, prefix, key) })

	out, err := client.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String(prefix + "archive-secret")})
	if err != nil || out.Parameter.Type != "SecureString" || aws.ToString(out.Parameter.Value) == "replaced" {
		t.Errorf("the parameter is stored as %+v, %v; want a SecureString that does not show its value", out, err)
	}
}
