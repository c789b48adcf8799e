// Package environment reads the settings of a function from its environment, as the
// stack sets them.
package environment

import "fmt"

// Setting is one variable that must be set.
type Setting struct {
	Name string
	To   *string
	What string // it is, for whoever finds it missing
}

// Settings that several functions have.

// Corp is the corpid.
func Corp(to *string) Setting {
	return Setting{"WECOM_ARCHIVE_CORP", to, "the corpid (企业ID)"}
}

// Bucket is the archive bucket.
func Bucket(to *string) Setting {
	return Setting{"WECOM_ARCHIVE_BUCKET", to, "the name of the archive bucket"}
}

// Derived is the bucket of what can be made again.
func Derived(to *string) Setting {
	return Setting{"WECOM_ARCHIVE_DERIVED", to, "the name of the derived bucket, of what can be made again"}
}

// Table is the index.
func Table(to *string) Setting {
	return Setting{"WECOM_ARCHIVE_TABLE", to, "the name of the DynamoDB table of the index"}
}

// SecretPrefix is where secrets lie in Parameter Store.
func SecretPrefix(to *string) Setting {
	return Setting{"WECOM_ARCHIVE_SECRET_PREFIX", to, "the prefix of the parameters that hold secrets, such as /wecom-archive/prod/"}
}

// CaptureKey encrypts what functions write that cannot read messages.
func CaptureKey(to *string) Setting {
	return Setting{"WECOM_ARCHIVE_CAPTURE_KEY", to, "the ARN of the KMS key that encrypts pages, events and files"}
}

// Read fills the settings in. The error names the first that is missing.
func Read(getenv func(string) string, settings ...Setting) error {
	for _, s := range settings {
		if *s.To = getenv(s.Name); *s.To == "" {
			return fmt.Errorf("the environment variable %s is not set: it is %s", s.Name, s.What)
		}
	}
	return nil
}
