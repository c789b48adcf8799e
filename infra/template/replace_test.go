//go:build template

package template

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// replacing are properties whose change makes a new resource, beyond those that the
// schemas name: they call these conditional, or only the guide says so.
var replacing = map[string][]string{
	"AWS::S3::Bucket":              {"ObjectLockEnabled"},
	"AWS::DynamoDB::Table":         {"KeySchema", "AttributeDefinitions"},
	"AWS::KMS::Key":                {"KeySpec", "KeyUsage", "MultiRegion", "Origin"},
	"AWS::EC2::EIP":                {"Domain", "PublicIpv4Pool"},
	"AWS::Cognito::UserPool":       {"UsernameAttributes", "AliasAttributes", "UsernameConfiguration", "Schema"},
	"AWS::Cognito::UserPoolClient": {"UserPoolId", "GenerateSecret"},
}

// changes are other values of each parameter that an operator may change later.
// Corp is not among them: one stack archives one company.
var changes = map[string][]string{
	"Retention": {"1-day", "1-year", "30-years"}, "LockMode": {"GOVERNANCE"}, "SdkLayer": {"arn:aws:lambda:ap-southeast-1:123456789012:layer:sdk:2"},
	"SdkArchitecture": {"arm64"}, "PullSchedule": {"rate(6 hours)"}, "RetrySchedule": {"rate(30 minutes)"}, "CompactSchedule": {"rate(1 day)"},
	"ScrubSchedule": {"rate(2 days)"}, "ScrubDays": {"30"}, "PageLimit": {"100"}, "ArchiverConcurrency": {"20"}, "MediaConcurrency": {"20"}, "MediaCalls": {"600"}, "MediaSchedule": {"rate(1 hour)"}, "DirectorySchedule": {"rate(12 hours)"}, "CallbackDelay": {"60"}, "AskReason": {"true"}, "RolesClaim": {"roles"}, "CorsOrigin": {"https://a.example"}, "IcpLicence": {"yes"},
	"OperatorPrincipals": {"arn:aws:iam::123456789012:role/a,arn:aws:iam::123456789012:role/b"}, "AuditorPrincipals": {"arn:aws:iam::123456789012:role/a"},
	"AlarmEmail": {"ops@example.com"}, "LogDays": {"3653"}, "OrganisationTrail": {"arn:aws:cloudtrail:us-east-1:210987654321:trail/all"},
	"VpcCidr": {"10.99.0.0/16"}, "DnsFirewall": {"no"}, "ScanLimit": {"10000000"},
}

// later are parameters that an operator sets once: what they name is made or not.
var later = []string{"Corp", "Issuer", "Audience", "ClientId", "ExistingArchiveBucket", "ExistingDerivedBucket", "ExistingTable", "ExistingCaptureKey", "ExistingContentKey",
	"ExistingKeyringKey", "ExistingOpsKey", "ExistingAddress", "ExistingAddressIp"}

// replaced says which of what lasts a change of the stack would replace or drop.
func replaced(e *Expanded, before, after *Model) (bad []string) {
	for _, path := range lasting {
		a, b := before.Resources[path], after.Resources[path]
		switch {
		case a == nil:
			continue
		case b == nil:
			bad = append(bad, path+" is dropped")
			continue
		case a.Type != b.Type:
			bad = append(bad, path+" changes its type")
		}
		properties := slices.Clone(replacing[a.Type])
		for _, p := range e.CreateOnly[a.Type] {
			properties = append(properties, strings.ReplaceAll(strings.TrimPrefix(p, "/properties/"), "/", "."))
		}
		for _, p := range properties {
			if !reflect.DeepEqual(at(a.Properties, p), at(b.Properties, p)) {
				bad = append(bad, fmt.Sprintf("%s is replaced, since %s changes", path, p))
			}
		}
	}
	return bad
}

// TestNothingIsReplaced: no change of parameters replaces or drops what lasts, in a
// new stack and in one that adopted an archive.
func TestNothingIsReplaced(t *testing.T) {
	e := expanded(t)
	for name := range object(e.Templates["template.yaml"]["Parameters"]) {
		if changes[name] == nil && !slices.Contains(later, name) {
			t.Errorf("parameter %s is not tried", name)
		}
	}
	for _, s := range scenes {
		before := resolve(t, e, s)
		for name, values := range changes {
			for _, value := range values {
				after := resolve(t, e, scene{s.name, s.place, s.parameters.with(choice{name: value})})
				for _, bad := range replaced(e, before, after) {
					t.Errorf("%s: %s=%s: %s", s.name, name, value, bad)
				}
			}
		}
		// All at once.
		all := choice{}
		for name, values := range changes {
			all[name] = values[0]
		}
		for _, bad := range replaced(e, before, resolve(t, e, scene{s.name, s.place, s.parameters.with(all)})) {
			t.Errorf("%s: all: %s", s.name, bad)
		}
	}
}

// TestReplacementIsNoticed: names made of parameters, and the like, would be.
func TestReplacementIsNoticed(t *testing.T) {
	e := expanded(t)
	for what, change := range map[string]func(resources map[string]any){
		"bucket named by a parameter": func(r map[string]any) {
			object(object(r["ArchiveBucket"])["Properties"])["BucketName"] = map[string]any{"Fn::Sub": "archive-${LockMode}"}
		},
		"table made by a parameter": func(r map[string]any) { object(r["Table"])["Condition"] = "Compliance" },
		"keys of the table": func(r map[string]any) {
			object(object(r["Table"])["Properties"])["KeySchema"] = []any{map[string]any{"AttributeName": map[string]any{"Ref": "LockMode"}, "KeyType": "HASH"}}
		},
		"kind of key": func(r map[string]any) {
			object(object(r["KeyringKey"])["Properties"])["KeySpec"] = map[string]any{"Ref": "LockMode"}
		},
		"domain of address": func(r map[string]any) {
			object(object(r["Address"])["Properties"])["Domain"] = map[string]any{"Ref": "LockMode"}
		},
		"type of a resource": func(r map[string]any) { object(r["Table"])["Type"] = "AWS::DynamoDB::GlobalTable" },
	} {
		changed := e.Copy()
		change(object(changed.Templates["template.yaml"]["Resources"]))
		from := e
		if what != "type of a resource" {
			from = changed
		}
		before := resolve(t, from, scenes[0])
		after, err := changed.Resolve(Singapore, production.with(choice{"LockMode": "GOVERNANCE"}))
		if err != nil {
			continue // others need what would be gone
		}
		if len(replaced(changed, before, after)) == 0 {
			t.Errorf("%s: not noticed", what)
		}
	}
}
