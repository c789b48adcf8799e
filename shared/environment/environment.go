// Package environment reads the settings of a function from its environment, as the
// stack sets them.
package environment

import (
	"fmt"
	"strconv"
)

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

// Stack is the name of the stack.
func Stack(to *string) Setting {
	return Setting{"WECOM_ARCHIVE_STACK", to, "the name of the stack"}
}

// SessionKey wraps the key of the pages' sessions.
func SessionKey(to *string) Setting {
	return Setting{"WECOM_ARCHIVE_SESSION_KEY", to, "the ARN of the KMS key that wraps the key of sessions"}
}

// Issuer signs people in.
func Issuer(to *string) Setting {
	return Setting{"WECOM_ARCHIVE_ISSUER", to, "the OpenID issuer, https://… without a slash at the end"}
}

// RolesClaim is where roles stand in a token.
func RolesClaim(to *string) Setting {
	return Setting{"WECOM_ARCHIVE_ROLES_CLAIM", to, "the claim that holds a person's roles, such as cognito:groups"}
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

// Number is one variable that need not be set: To then stays as it is.
type Number struct {
	Name        string
	To          *int
	Least, Most int
}

// ReadNumbers fills the numbers in that are set. The error names the first that is no
// number or out of its bounds.
func ReadNumbers(getenv func(string) string, numbers ...Number) error {
	for _, n := range numbers {
		text := getenv(n.Name)
		if text == "" {
			continue
		}
		value, err := strconv.Atoi(text)
		if err != nil || value < n.Least || value > n.Most {
			return fmt.Errorf("the environment variable %s is %q: it must be %d to %d, or not set", n.Name, text, n.Least, n.Most)
		}
		*n.To = value
	}
	return nil
}
