package awsstore

import (
	"errors"

	"github.com/aws/smithy-go"
)

// errorCode is S3's own name of an error, "" for other errors and none.
func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
