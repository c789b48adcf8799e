package awsstore

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// call is one operation of a service. The adapters hold the operations that they
// use and not the client: in a program that calls methods by names known only when
// it runs, as html/template does, the linker keeps every method of every type that
// reflection could reach, and Systems Manager's client has 150 of them
// (CONTRIBUTING.md, "Sizes").
type call[In, Options, Out any] func(context.Context, *In, ...func(*Options)) (*Out, error)

type ssmCalls struct {
	GetParameter call[ssm.GetParameterInput, ssm.Options, ssm.GetParameterOutput]
	PutParameter call[ssm.PutParameterInput, ssm.Options, ssm.PutParameterOutput]
}

type kmsCalls struct {
	GenerateDataKeyPairWithoutPlaintext call[kms.GenerateDataKeyPairWithoutPlaintextInput, kms.Options, kms.GenerateDataKeyPairWithoutPlaintextOutput]
	Encrypt                             call[kms.EncryptInput, kms.Options, kms.EncryptOutput]
	Decrypt                             call[kms.DecryptInput, kms.Options, kms.DecryptOutput]
}

type dynamodbCalls struct {
	GetItem        call[dynamodb.GetItemInput, dynamodb.Options, dynamodb.GetItemOutput]
	UpdateItem     call[dynamodb.UpdateItemInput, dynamodb.Options, dynamodb.UpdateItemOutput]
	Query          call[dynamodb.QueryInput, dynamodb.Options, dynamodb.QueryOutput]
	Scan           call[dynamodb.ScanInput, dynamodb.Options, dynamodb.ScanOutput]
	BatchGetItem   call[dynamodb.BatchGetItemInput, dynamodb.Options, dynamodb.BatchGetItemOutput]
	BatchWriteItem call[dynamodb.BatchWriteItemInput, dynamodb.Options, dynamodb.BatchWriteItemOutput]
}
