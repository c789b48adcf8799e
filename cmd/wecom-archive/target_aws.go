package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/keyring"
)

// account are the settings of an archive on AWS. Region, credentials and endpoint
// are the SDK's own (AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL and so on).
type account struct {
	Corp       string `env:"WECOM_ARCHIVE_CORP" placeholder:"ID" help:"Corpid (企业ID)."`
	Bucket     string `env:"WECOM_ARCHIVE_BUCKET" placeholder:"NAME" help:"Archive bucket."`
	Derived    string `env:"WECOM_ARCHIVE_DERIVED" placeholder:"NAME" help:"Bucket of what can be made again."`
	Table      string `env:"WECOM_ARCHIVE_TABLE" placeholder:"NAME" help:"DynamoDB table of the index."`
	QueueURL   string `name:"queue-url" env:"WECOM_ARCHIVE_QUEUE_URL" placeholder:"URL" help:"SQS queue of the archiver."`
	CaptureKey string `env:"WECOM_ARCHIVE_CAPTURE_KEY" placeholder:"ARN" help:"KMS key of pages, events and key records."`
	KeyringKey string `env:"WECOM_ARCHIVE_KEYRING_KEY" placeholder:"ARN" help:"KMS key that wraps private keys."`
	Secret     string `name:"secret-prefix" env:"WECOM_ARCHIVE_SECRET" placeholder:"PREFIX" help:"Prefix of the parameters that hold secrets."`
	SecretKey  string `env:"WECOM_ARCHIVE_SECRET_KEY" placeholder:"ARN" help:"KMS key that encrypts them."`
	Puller     string `env:"WECOM_ARCHIVE_PULLER" placeholder:"NAME" help:"Lambda function that pulls."`
	Compactor  string `env:"WECOM_ARCHIVE_COMPACTOR" placeholder:"NAME" help:"Lambda function that compacts, reparses, and lists consent."`
	Reindexer  string `env:"WECOM_ARCHIVE_REINDEXER" placeholder:"NAME" help:"Lambda function that reindexes."`
	TrustedIP  string `kong:"-"` // that WeCom should see; known of a stack
}

// outputs of a stack, and the settings that they are.
func (a *account) outputs() map[string]*string {
	return map[string]*string{
		"Corp": &a.Corp, "AuditorBucket": &a.Bucket, "DerivedBucket": &a.Derived, "Table": &a.Table, "QueueUrl": &a.QueueURL,
		"CaptureKey": &a.CaptureKey, "KeyringKey": &a.KeyringKey, "SecretPrefix": &a.Secret, "OpsKey": &a.SecretKey, "PullerFunction": &a.Puller,
		"TrustedIp": &a.TrustedIP, "CompactorFunction": &a.Compactor, "ReindexerFunction": &a.Reindexer,
	}
}

// readStack takes the settings from the outputs of a stack.
func (a *account) readStack(ctx context.Context, cfg aws.Config, stack string) error {
	out, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		return fmt.Errorf("--stack %s, looked for in region %s (AWS_REGION): %w", stack, cfg.Region, err)
	}
	if len(out.Stacks) != 1 {
		return fmt.Errorf("--stack %s: %d stacks have this name", stack, len(out.Stacks))
	}
	known := a.outputs()
	for _, output := range out.Stacks[0].Outputs {
		if to := known[aws.ToString(output.OutputKey)]; to != nil {
			*to = aws.ToString(output.OutputValue)
		}
	}
	return nil
}

// check says which settings are missing.
func (a *account) check() error {
	var errs []error
	for _, s := range []struct{ value, flag string }{
		{a.Corp, "--corp"}, {a.Bucket, "--bucket"}, {a.Derived, "--derived"}, {a.Table, "--table"}, {a.QueueURL, "--queue-url"},
		{a.CaptureKey, "--capture-key"}, {a.KeyringKey, "--keyring-key"}, {a.Secret, "--secret-prefix"}, {a.SecretKey, "--secret-key"},
	} {
		if s.value == "" {
			errs = append(errs, fmt.Errorf("%s is missing", s.flag))
		}
	}
	return errors.Join(errs...)
}

// open opens the archive of an account. It creates nothing there.
func (a account) open(ctx context.Context, stack string, log *slog.Logger) (*opened, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	if stack != "" {
		if err := a.readStack(ctx, cfg, stack); err != nil {
			return nil, err
		}
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	s3Client := s3.NewFromConfig(cfg)
	objects := awsstore.NewObjects(s3Client, s3.NewPresignClient(s3Client), a.Bucket).WithKey(a.CaptureKey, archive.CapturePrefixes()...)
	index := awsstore.NewIndex(dynamodb.NewFromConfig(cfg), a.Table)
	catalog := catalog.New(index)
	queue := awsstore.NewNotifier(sqs.NewFromConfig(cfg), a.QueueURL, a.Bucket)
	functions := lambda.NewFromConfig(cfg, func(o *lambda.Options) { o.RetryMaxAttempts = 1 })
	return &opened{
		Corp: a.Corp, Objects: objects, Lock: objects, Versions: objects, Derived: awsstore.NewDerived(s3Client, a.Derived).WithKey(a.CaptureKey, archive.FetchPrefix), Catalog: catalog, Dropper: index,
		Ring: keyring.New(keyring.Config{
			Corp: a.Corp, Objects: objects, Port: awsstore.NewKeyring(kms.NewFromConfig(cfg), a.KeyringKey), Keys: catalog.Keys, Now: time.Now, Log: log,
		}),
		Secrets: awsstore.NewSecrets(ssm.NewFromConfig(cfg), a.Secret, a.SecretKey),
		Queue:   queue,
		Log:     log,

		compliance: objects.Compliance,

		Remote: &remote{client: functions, compactor: a.Compactor, reindexer: a.Reindexer, catalog: catalog, queue: queue},
		pull: func(ctx context.Context) (run archive.Run, err error) {
			return run, invokePuller(ctx, cfg, a.Puller, nil, &run)
		},
		examine: func(ctx context.Context, trusted netip.Addr) (checkup archive.Checkup, err error) {
			event := map[string]string{"reason": "doctor", "trusted_ip": a.TrustedIP}
			if trusted.IsValid() {
				event["trusted_ip"] = trusted.String()
			}
			return checkup, invokePuller(ctx, cfg, a.Puller, event, &checkup)
		},
		drain: func(context.Context) error { return nil },
		close: func() error { return nil },
	}, nil
}

// invokePuller starts the puller with an event, nil for a pull, as its schedule does:
// WeCom talks to its address only. It fills in what the function answers.
func invokePuller(ctx context.Context, cfg aws.Config, function string, event, answer any) error {
	if function == "" {
		return errors.New("--puller is missing")
	}
	return invoke(ctx, lambda.NewFromConfig(cfg), function, event, answer)
}

// invoke has a function deal with an event and fills in its answer.
func invoke(ctx context.Context, client *lambda.Client, function string, event, answer any) error {
	payload, err := json.Marshal(event)
	if err != nil {
		return err
	}
	out, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: payload})
	if err != nil {
		return fmt.Errorf("invoking %s: %w", function, err)
	}
	if out.FunctionError != nil {
		var failure struct{ ErrorMessage string }
		if json.Unmarshal(out.Payload, &failure) != nil || failure.ErrorMessage == "" {
			failure.ErrorMessage = *out.FunctionError
		}
		return fmt.Errorf("%s failed: %s: see its log", function, failure.ErrorMessage)
	}
	if err := json.Unmarshal(out.Payload, answer); err != nil {
		return fmt.Errorf("%s gave an answer that makes no sense: is it of another version? %w", function, err)
	}
	return nil
}
