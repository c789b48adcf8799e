//go:build template

package template

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// harmless are properties that nothing depends on, as type and end of the path.
var harmless = map[string][]string{
	"AWS::S3::Bucket": {".NotificationConfiguration.Prefix", ".LifecycleConfiguration"}, "AWS::EC2::VPC": {".EnableDnsHostnames", ".EnableDnsSupport"},
	"AWS::EC2::SecurityGroup": {".IpProtocol"}, "AWS::EC2::Subnet": {".MapPublicIpOnLaunch", ".CidrBlock", ".AvailabilityZone"}, "AWS::Lambda::Function": {".Code", ".EphemeralStorage", ".PackageType", ".LogFormat", ".Layers"},
	"AWS::CloudTrail::Trail": {".IncludeGlobalServiceEvents", ".TrailName"}, "AWS::Route53Resolver::FirewallRuleGroupAssociation": {".Priority"},
	"AWS::Cognito::UserPoolClient": {".IdTokenValidity"}, "AWS::Cognito::UserPool": {".UserPoolName"},
}

// names and words that say something to people only.
var forPeople = []string{".Tags", ".Description", ".Name", ".GroupDescription", ".AlarmDescription", ".AlarmName", ".ClientName", ".TopicName", ".QueueName", ".FunctionName", ".Id", ".CreatorRequestId", ".DashboardName", ".Sid"}

// protected are the types whose every property must be missed by a test.
var protected = []string{
	"AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::EC2::EIP", "AWS::SQS::Queue", "AWS::Cognito::UserPool", "AWS::Cognito::UserPoolClient",
	"AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping", "AWS::Lambda::EventInvokeConfig", "AWS::Lambda::Permission", "AWS::Logs::LogGroup", "AWS::Events::Rule",
	"AWS::ApiGatewayV2::Authorizer", "AWS::ApiGatewayV2::Stage", "AWS::ApiGatewayV2::Integration", "AWS::CloudWatch::Alarm", "AWS::CloudTrail::Trail", "AWS::SNS::Topic",
	"AWS::EC2::VPCEndpoint", "AWS::EC2::SecurityGroup", "AWS::EC2::NatGateway", "AWS::EC2::FlowLog", "AWS::EC2::SubnetRouteTableAssociation",
	"AWS::Route53Resolver::FirewallRuleGroup", "AWS::Route53Resolver::FirewallDomainList", "AWS::Route53Resolver::FirewallRuleGroupAssociation",
	"AWS::Athena::WorkGroup",
}

// complaints are what pins and rules say of a changed stack; an error of resolving
// it is one, too.
func complaints(e *Expanded) []string {
	m, err := e.Resolve(scenes[0].place, scenes[0].parameters)
	if err != nil {
		return []string{err.Error()}
	}
	var bad []string
	for _, p := range pins() {
		bad = append(bad, p.check(m)...)
	}
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		bad = append(bad, rules[name](m)...)
	}
	return bad
}

// paths are the paths of all values below v.
func paths(v any, below string) (all []string) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if k == "Ref" || strings.HasPrefix(k, "Fn::") {
				return all // a value
			}
			if k == "PolicyDocument" || k == "KeyPolicy" || k == "AssumeRolePolicyDocument" {
				continue // TestPolicyMutations
			}
			all = append(all, below+"/"+k)
			all = append(all, paths(v[k], below+"/"+k)...)
		}
	case []any:
		for i := range v {
			all = append(all, paths(v[i], fmt.Sprintf("%s/%d", below, i))...)
		}
	}
	return all
}

// remove deletes what is at a path.
func remove(v any, path string) {
	names := strings.Split(path, "/")
	v = at(map[string]any{"": v}, strings.Join(append([]string{""}, names[1:len(names)-1]...), "."))
	if m, ok := v.(map[string]any); ok {
		delete(m, names[len(names)-1])
	}
}

func forgiven(kind, path string) bool {
	dotted := strings.ReplaceAll(path, "/", ".")
	return slices.ContainsFunc(append(slices.Clone(forPeople), harmless[kind]...), func(h string) bool {
		return strings.HasSuffix(dotted, h) || strings.Contains(dotted, h+".")
	})
}

// TestMutations deletes each property of what is protected, one at a time: a pin or
// a rule must complain.
func TestMutations(t *testing.T) {
	e := expanded(t)
	if bad := complaints(e); len(bad) > 0 {
		t.Fatal("the stack itself:", bad)
	}
	tried := 0
	for file, template := range e.Templates {
		for id, r := range object(template["Resources"]) {
			kind := fmt.Sprint(object(r)["Type"])
			if !slices.Contains(protected, kind) {
				continue
			}
			mutations := []string{"/Condition", "/DeletionPolicy", "/UpdateReplacePolicy"}
			mutations = slices.DeleteFunc(mutations, func(p string) bool { return object(r)[p[1:]] == nil || p == "/Condition" })
			mutations = append(mutations, paths(object(r)["Properties"], "/Properties")...)
			for _, path := range mutations {
				if forgiven(kind, path) {
					continue
				}
				tried++
				changed := e.Copy()
				remove(object(changed.Templates[file]["Resources"])[id], path)
				if len(complaints(changed)) == 0 {
					t.Errorf("%s: %s%s can go, and nothing complains", file, id, path)
				}
			}
		}
	}
	if tried < 300 {
		t.Errorf("only %d properties", tried)
	}
	t.Logf("%d properties deleted", tried)
}

// mutation is a policy with a statement less, or a statement with a condition less.
type mutation struct {
	what  string
	model *Model
	all   []question
}

// TestPolicyMutations takes each statement from each policy, and each condition
// from each statement, one at a time: somebody then may what they must not, or may
// not what they must, or a rule complains.
func TestPolicyMutations(t *testing.T) {
	e := expanded(t)
	original := resolve(t, e, scenes[0])
	asked := map[string]bool{} // simulations of the stack itself
	for _, q := range questions(original) {
		asked[text(t, original.simulation(q))] = true
	}
	var simulations []any
	index := map[string]int{}
	var mutations []mutation
	answerOf := map[string][]int{}
	for _, change := range policyChanges(e) {
		if len(change.complaints) > 0 {
			continue // already noticed
		}
		m, err := change.e.Resolve(scenes[0].place, scenes[0].parameters)
		if err != nil {
			continue
		}
		mu := mutation{what: change.what, model: m}
		for _, q := range questions(m) {
			s := m.simulation(q)
			key := text(t, s)
			if asked[key] {
				continue
			}
			if _, ok := index[key]; !ok {
				index[key] = len(simulations)
				simulations = append(simulations, s)
			}
			mu.all = append(mu.all, q)
			answerOf[mu.what] = append(answerOf[mu.what], index[key])
		}
		mutations = append(mutations, mu)
	}
	answers := evaluate(t, simulations)
	for _, mu := range mutations {
		var its []string
		for _, i := range answerOf[mu.what] {
			its = append(its, answers[i])
		}
		if len(wrongAnswers(mu.model, mu.all, its)) == 0 {
			t.Errorf("without %s all answers stay right", mu.what)
		}
	}
	t.Logf("%d changes, %d requests", len(mutations), len(simulations))
}

func text(t testing.TB, v any) string {
	doc, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(doc)
}

type policyChange struct {
	what       string
	e          *Expanded
	complaints []string
}

// unasked are statements that the table of questions does not reach: services'
// rights (pinned by a rule), and what AWS itself needs.
func unasked(what string) bool {
	for _, part := range []string{"/Log", "/Trace", "/LambdaJoinsTheNetwork", "/NotTheCodeItself", "LogBucketPolicy", "ReadDerivedAndLogs", "ReadOutputs", "Sid", "FlowRole"} {
		if strings.Contains(what, part) {
			return true
		}
	}
	return false
}

func policyChanges(e *Expanded) (all []policyChange) {
	for file, template := range e.Templates {
		for id, r := range object(template["Resources"]) {
			for _, property := range []string{"PolicyDocument", "KeyPolicy"} {
				statements, _ := at(r, "Properties."+property+".Statement").([]any)
				for i, s := range statements {
					name := fmt.Sprintf("%s:%s/%v#%d", file, id, object(s)["Sid"], i)
					if unasked(name) {
						continue
					}
					try := func(what string, change func(document map[string]any, statement map[string]any)) {
						c := e.Copy()
						document := object(at(object(c.Templates[file]["Resources"])[id], "Properties."+property))
						change(document, object(document["Statement"].([]any)[i]))
						all = append(all, policyChange{what, c, complaints(c)})
					}
					try(name, func(d, _ map[string]any) {
						d["Statement"] = slices.Delete(slices.Clone(d["Statement"].([]any)), i, i+1)
					})
					if object(s)["Effect"] == "Allow" && object(s)["Condition"] != nil {
						for operator := range object(object(s)["Condition"]) {
							try(name+" condition "+operator, func(_, st map[string]any) { delete(object(st["Condition"]), operator) })
						}
					}
				}
			}
		}
	}
	return all
}
