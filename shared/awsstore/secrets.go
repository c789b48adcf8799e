package awsstore

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"wecom-archive/shared/store"
)

// maxSecret is the size of a standard parameter, in bytes.
const maxSecret = 4096

// secretName keeps a secret below its prefix: no slash.
var secretName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// Secrets is an store.Secrets in Systems Manager's Parameter Store: one
// SecureString parameter for each. It is safe for concurrent use.
type Secrets struct {
	client ssmCalls
	prefix string
	keyID  string
}

var _ store.Secrets = (*Secrets)(nil)

// NewSecrets stores secrets as parameters named prefix + name, encrypted under
// the KMS key with this id, ARN or alias. The prefix, as /wecom-archive/prod/,
// is what IAM policies name.
func NewSecrets(client *ssm.Client, prefix, keyID string) *Secrets {
	return &Secrets{ssmCalls{client.GetParameter, client.PutParameter}, prefix, keyID}
}

// Get implements store.Secrets.
func (s *Secrets) Get(ctx context.Context, name string) (string, error) {
	value, err := s.get(ctx, name)
	if err != nil {
		return "", fmt.Errorf("getting secret %q from parameter %s%s: %w", name, s.prefix, name, err)
	}
	return value, nil
}

func (s *Secrets) get(ctx context.Context, name string) (string, error) {
	if err := checkSecretName(name); err != nil {
		return "", err
	}
	out, err := s.client.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(s.prefix + name), WithDecryption: aws.Bool(true)})
	if _, ok := errors.AsType[*types.ParameterNotFound](err); ok {
		return "", store.ErrNotFound
	}
	if err != nil {
		return "", err
	}
	if out.Parameter == nil || out.Parameter.Type != types.ParameterTypeSecureString {
		return "", errors.New("it is not a SecureString: whoever may read parameters can read it; set it again, as a new secret")
	}
	return aws.ToString(out.Parameter.Value), nil
}

// Set implements store.Secrets. Parameter Store keeps the older values as
// versions of the parameter.
func (s *Secrets) Set(ctx context.Context, name, value string) error {
	if err := s.set(ctx, name, value); err != nil {
		return fmt.Errorf("setting secret %q in parameter %s%s: %w", name, s.prefix, name, err)
	}
	return nil
}

func (s *Secrets) set(ctx context.Context, name, value string) error {
	if err := checkSecretName(name); err != nil {
		return err
	}
	switch {
	case value == "" || !utf8.ValidString(value):
		return errors.New("the value must be text and not empty")
	case len(value) > maxSecret:
		return fmt.Errorf("the value has %d bytes, at most %d fit", len(value), maxSecret)
	}
	_, err := s.client.PutParameter(ctx, &ssm.PutParameterInput{
		Name: aws.String(s.prefix + name), Value: &value, Type: types.ParameterTypeSecureString,
		KeyId: &s.keyID, Overwrite: aws.Bool(true), Tier: types.ParameterTierStandard,
	})
	return err
}

func checkSecretName(name string) error {
	if !secretName.MatchString(name) {
		return errors.New("a name is made of letters, digits and . _ -")
	}
	return nil
}
