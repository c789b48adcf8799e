package lambdastart

import (
	"context"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"wecom-archive/shared/awsstore"
)

// AWS is the account as the function's role sees it.
type AWS struct {
	config aws.Config

	once sync.Once
	s3   *s3.Client // one for all buckets: they share its connections
}

// LoadAWS reads the configuration that Lambda gives each function.
func LoadAWS(ctx context.Context) (*AWS, error) {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	return &AWS{config: c}, nil
}

// Objects is an archive bucket.
func (a *AWS) Objects(bucket string) *awsstore.Objects {
	client := a.buckets()
	return awsstore.NewObjects(client, s3.NewPresignClient(client), bucket)
}

// Derived is a bucket of what can be made again.
func (a *AWS) Derived(bucket string) *awsstore.Derived {
	return awsstore.NewDerived(a.buckets(), bucket)
}

// buckets makes the client when it is first asked for, so that a function without
// buckets has none.
func (a *AWS) buckets() *s3.Client {
	a.once.Do(func() { a.s3 = s3.NewFromConfig(a.config) })
	return a.s3
}

// Index is a table.
func (a *AWS) Index(table string) *awsstore.Index {
	return awsstore.NewIndex(dynamodb.NewFromConfig(a.config), table)
}

// Secrets reads the parameters below a prefix.
func (a *AWS) Secrets(prefix string) *awsstore.Secrets {
	return awsstore.NewSecrets(ssm.NewFromConfig(a.config), prefix, "")
}

// Notifier queues objects of a bucket.
func (a *AWS) Notifier(queueURL, bucket string) *awsstore.Notifier {
	return awsstore.NewNotifier(sqs.NewFromConfig(a.config), queueURL, bucket)
}

// Waker starts the puller by a queue.
func (a *AWS) Waker(queueURL string) *awsstore.Waker {
	return awsstore.NewWaker(sqs.NewFromConfig(a.config), queueURL)
}

// Keyring wraps private keys with a KMS key.
func (a *AWS) Keyring(keyID string) *awsstore.Keyring {
	return awsstore.NewKeyring(kms.NewFromConfig(a.config), keyID)
}

// SessionKeys wraps the key of a stack's sessions with a KMS key.
func (a *AWS) SessionKeys(keyID, stack string) *awsstore.SessionKeys {
	return awsstore.NewSessionKeys(kms.NewFromConfig(a.config), keyID, stack)
}
