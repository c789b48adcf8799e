package awsstore

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// SessionKeys makes and opens the key of sessions of the pages (signin.Wrapper) with a
// symmetric KMS key that is for nothing else, under an encryption context that names
// the stack: what another stack has wrapped does not open here. It is safe for
// concurrent use.
type SessionKeys struct {
	client *kms.Client
	keyID  string
	bound  map[string]string
}

// NewSessionKeys uses the KMS key with this id, ARN or alias.
func NewSessionKeys(client *kms.Client, keyID, stack string) *SessionKeys {
	return &SessionKeys{client, keyID, map[string]string{"app": "wecom-archive", "purpose": "sessions", "stack": stack}}
}

// New implements signin.Wrapper.
func (k *SessionKeys) New(ctx context.Context) (key, wrapped []byte, err error) {
	out, err := k.client.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &k.keyID, KeySpec: types.DataKeySpecAes256, EncryptionContext: k.bound})
	if err != nil {
		return nil, nil, err
	}
	return out.Plaintext, out.CiphertextBlob, nil
}

// Unwrap implements signin.Wrapper.
func (k *SessionKeys) Unwrap(ctx context.Context, wrapped []byte) ([]byte, error) {
	if len(wrapped) == 0 || len(wrapped) > maxCiphertext {
		return nil, errors.New("it is no ciphertext of KMS")
	}
	out, err := k.client.Decrypt(ctx, &kms.DecryptInput{KeyId: &k.keyID, CiphertextBlob: wrapped, EncryptionContext: k.bound})
	if err != nil {
		return nil, err
	}
	return out.Plaintext, nil
}
