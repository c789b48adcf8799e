//go:build template

package template

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// simulation is what evaluate.mjs takes.
func (m *Model) simulation(q question) any {
	service, _, _ := strings.Cut(q.action, ":")
	arn := fmt.Sprintf("arn:%s:iam::%s:role/%s-%s-%s", m.Place.Partition, m.Place.Account, m.Place.Stack, m.Place.Region, q.who)
	if q.who == administrator {
		arn = fmt.Sprintf("arn:%s:iam::%s:role/Administrators", m.Place.Partition, m.Place.Account)
	}
	function := slices.Contains([]string{puller, archiver, media, directory, callback, compactor, reindexer, admin}, q.who)
	context := map[string]string{
		"aws:PrincipalArn": arn, "aws:PrincipalAccount": m.Place.Account, "aws:SecureTransport": "true",
	}
	switch service {
	case "s3":
		context["s3:TlsVersion"], context["s3:ResourceAccount"] = "1.3", m.Place.Account
	case "kms":
		context["kms:CallerAccount"] = m.Place.Account
	}
	if function {
		context["aws:SourceVpc"] = fmt.Sprint(at(m.Resources["Functions"].Properties, "Parameters.vpc"))
		if v := m.Resources["Network/Vpc"]; v != nil {
			context["aws:SourceVpc"] = m.Place.ref(v)
		}
	}
	maps.Copy(context, q.context)
	sim := map[string]any{
		"request": map[string]any{"principal": arn, "action": q.action, "contextVariables": context,
			"resource": map[string]any{"resource": q.resource, "accountId": m.Place.Account}},
		"identityPolicies": m.identityPolicies(q.who),
	}
	if q.alone == "resource" || q.alone == "endpoint" {
		sim["identityPolicies"] = m.identityPolicies(administrator)
	}
	if p := m.resourcePolicy(service, q.resource); p != nil && (q.alone == "" || q.alone == "resource") {
		sim["resourcePolicy"] = p
	} else if service == "kms" { // a key without a policy would open nothing
		sim["resourcePolicy"] = map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{"Effect": "Allow", "Action": "kms:*", "Resource": "*",
			"Principal": map[string]any{"AWS": fmt.Sprintf("arn:%s:iam::%s:root", m.Place.Partition, m.Place.Account)}}}}
	}
	if p := m.endpointPolicy(service, context["kms:ViaService"] != "", q.who); p != nil && function && (q.alone == "" || q.alone == "endpoint") {
		sim["vpcEndpointPolicies"] = []any{map[string]any{"name": "endpoint", "policy": p}}
	}
	return sim
}

func (m *Model) identityPolicies(who string) []any {
	if who == administrator {
		return []any{map[string]any{"name": "all", "policy": map[string]any{"Version": "2012-10-17",
			"Statement": []any{map[string]any{"Effect": "Allow", "Action": "*", "Resource": "*"}}}}}
	}
	role := strings.ToUpper(who[:1]) + who[1:]
	if r := m.Resources["Roles/"+role+"Rights"]; r != nil {
		return []any{map[string]any{"name": "rights", "policy": r.Properties["PolicyDocument"]}}
	}
	return []any{}
}

func (m *Model) resourcePolicy(service, resource string) any {
	x := thingsOf(m)
	bucket, _, _ := strings.Cut(resource, "/")
	policy := func(path, property string) any {
		if r := m.Resources[path]; r != nil {
			return r.Properties[property]
		}
		return nil
	}
	switch {
	case service == "s3" && bucket == x.archive:
		return policy("ArchiveBucketPolicy", "PolicyDocument")
	case service == "s3" && bucket == x.derived:
		return policy("DerivedBucketPolicy", "PolicyDocument")
	case resource == x.pages:
		return policy("Functions/PagesPolicy", "PolicyDocument")
	case strings.HasSuffix(resource, "-media") && service == "sqs":
		return policy("Functions/MediaJobsPolicy", "PolicyDocument")
	case strings.HasSuffix(resource, "-wakes"):
		return policy("Functions/WakesPolicy", "PolicyDocument")
	case strings.HasSuffix(resource, "-dead-runs"):
		return policy("Functions/DeadRunsPolicy", "PolicyDocument")
	case service == "kms":
		for path, arn := range map[string]string{"CaptureKey": x.captureKey, "ContentKey": x.contentKey, "KeyringKey": x.keyringKey, "OpsKey": x.opsKey, "SessionKey": x.sessionKey} {
			if resource == arn {
				return policy(path, "KeyPolicy")
			}
		}
	}
	return nil
}

// endpointPolicy: S3 and DynamoDB go through gateway endpoints from everywhere; KMS
// is called by isolated functions through its interface, by others over the NAT.
// What S3 asks of KMS passes no endpoint.
func (m *Model) endpointPolicy(service string, via bool, who string) any {
	path := map[string]string{"s3": "Network/S3Endpoint", "dynamodb": "Network/DynamoEndpoint", "kms": "Network/KmsEndpoint"}[service]
	if path == "" || m.Resources[path] == nil || service == "kms" && (via || who == puller || who == media || who == directory || who == callback) {
		return nil
	}
	return m.Resources[path].Properties["PolicyDocument"]
}

// evaluate answers simulations.
func evaluate(t testing.TB, simulations []any) []string {
	t.Helper()
	doc, err := json.Marshal(simulations)
	if err != nil {
		t.Fatal(err)
	}
	tools := os.Getenv("WECOM_ARCHIVE_TEMPLATE_TOOLS")
	if tools == "" {
		t.Fatal("WECOM_ARCHIVE_TEMPLATE_TOOLS is not set: run make test-template")
	}
	command := exec.CommandContext(t.Context(), "node", "--max-old-space-size=2048", "evaluate.mjs", tools)
	command.Stdin, command.Stderr = bytes.NewReader(doc), os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("evaluate.mjs: %v", err)
	}
	var answers []string
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(simulations) {
		t.Fatalf("evaluate.mjs: %d answers to %d: %v", len(answers), len(simulations), err)
	}
	return answers
}

// wrongAnswers says what somebody may do or may not, against the table.
func wrongAnswers(m *Model, all []question, answers []string) (wrong []string) {
	for i, q := range all {
		if may := answers[i] == "Allowed"; may != q.may || strings.HasPrefix(answers[i], "error") {
			wrong = append(wrong, fmt.Sprintf("%v: %s, want may=%v", q, answers[i], q.may))
		}
	}
	return wrong
}
