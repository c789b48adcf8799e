//go:build template

package template

import (
	"maps"
	"os"
	"strings"
	"testing"
)

// expanded is the stack, from the file that infra/template/test.sh made.
func expanded(t testing.TB) *Expanded {
	t.Helper()
	path := os.Getenv("WECOM_ARCHIVE_EXPANDED")
	if path == "" {
		t.Fatal("WECOM_ARCHIVE_EXPANDED is not set: run make test-template")
	}
	e, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// choice is a set of parameters.
type choice map[string]string

func (c choice) with(more choice) choice {
	all := maps.Clone(c)
	maps.Copy(all, more)
	return all
}

var (
	production = choice{"Corp": "ww5117a9e0c0ffee01", "Retention": "6-years", "LockMode": "COMPLIANCE"}
	staging    = choice{"Corp": "ww5117a9e0c0ffee01", "Retention": "1-day", "LockMode": "GOVERNANCE"}
	issuer     = choice{"Issuer": "https://login.example.cn/realms/a", "Audience": "archive", "RolesClaim": "roles"}
	adopted    = choice{
		"ExistingArchiveBucket": "old-archive", "ExistingDerivedBucket": "old-derived", "ExistingTable": "old-table",
		"ExistingCaptureKey": keyArn("1"), "ExistingContentKey": keyArn("2"), "ExistingKeyringKey": keyArn("3"), "ExistingOpsKey": keyArn("4"),
		"ExistingAddress": "eipalloc-0abc", "ExistingAddressIp": "203.0.113.9",
	}
)

func keyArn(n string) string {
	return "arn:aws:kms:ap-southeast-1:123456789012:key/" + strings.Repeat(n, 8)
}

// scene is a stack to prove things of.
type scene struct {
	name       string
	place      Place
	parameters choice
}

var scenes = []scene{
	{"production", Singapore, production},
	{"staging", Singapore, staging},
	{"own issuer", Singapore, production.with(issuer)},
	{"China", Beijing, production.with(issuer)},
	{"China with ICP licence", Beijing, production.with(issuer).with(choice{"IcpLicence": "yes"})},
	{"adopted", Singapore, production.with(adopted)},
}

func resolve(t testing.TB, e *Expanded, s scene) *Model {
	t.Helper()
	m, err := e.Resolve(s.place, s.parameters)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestParameters: what an operator must choose has no default, and what makes no
// sense is refused.
func TestParameters(t *testing.T) {
	e := expanded(t)
	for name, p := range map[string]choice{
		"no corp":           {"Retention": "6-years", "LockMode": "COMPLIANCE"},
		"no retention":      {"Corp": "ww5117a9e0c0ffee01", "LockMode": "COMPLIANCE"},
		"no lock mode":      {"Corp": "ww5117a9e0c0ffee01", "Retention": "6-years"},
		"odd retention":     production.with(choice{"Retention": "6"}),
		"corp is a name":    production.with(choice{"Corp": "Example Ltd"}),
		"issuer with slash": production.with(choice{"Issuer": "https://login.example.cn/"}),
		"plain issuer":      production.with(choice{"Issuer": "http://login.example.cn"}),
		"any origin":        production.with(choice{"CorsOrigin": "*"}),
		"limit in words":    production.with(choice{"LockMode": "compliance"}),
	} {
		if _, err := e.Resolve(Singapore, p); err == nil {
			t.Errorf("%s: resolved", name)
		}
	}
	// Rules are CloudFormation's to check before it creates anything.
	for _, rule := range []string{"IssuerNeedsAudience", "AddressNeedsIp", "ComplianceIsForYears"} {
		if object(e.Templates["template.yaml"]["Rules"])[rule] == nil {
			t.Errorf("rule %s is gone", rule)
		}
	}
	for path, template := range e.Templates {
		for name, p := range object(template["Parameters"]) {
			if d, _ := object(p)["Description"].(string); d == "" {
				t.Errorf("%s: parameter %s has no description", path, name)
			}
		}
	}
}

// TestRetention: the lock lasts the years that were chosen, leap days and 31 days
// more.
func TestRetention(t *testing.T) {
	e := expanded(t)
	for years, days := range map[string]float64{"1-day": 1, "1-year": 397, "3-years": 1127, "6-years": 2223, "10-years": 3684, "30-years": 10989} {
		m := resolve(t, e, scene{"", Singapore, staging.with(choice{"Retention": years})})
		if got := at(m.Resources["ArchiveBucket"].Properties, "ObjectLockConfiguration.Rule.DefaultRetention.Days"); got != days {
			t.Errorf("%s: %v days, want %v", years, got, days)
		}
	}
}
