//go:build template

package template

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// lasting are the resources that outlive the stack.
var lasting = []string{"ArchiveBucket", "DerivedBucket", "LogBucket", "Table", "CaptureKey", "ContentKey", "KeyringKey", "OpsKey", "Address", "People", "People/Pool", "People/Client"}

// rules are what no single value says.
var rules = map[string]func(*Model) []string{
	"what lasts is retained": func(m *Model) (bad []string) {
		for _, path := range lasting {
			if r := m.Resources[path]; r == nil || !r.Retained {
				bad = append(bad, path+" would go with the stack")
			}
		}
		return bad
	},
	"functions that read have no way out": func(m *Model) (bad []string) {
		for function, out := range map[string]string{"Puller": "NAT", "Media": "NAT", "Directory": "NAT", "Callback": "NAT", "Archiver": "none", "Compactor": "none", "Reindexer": "none", "Admin": "none"} {
			group := refOf("Network/IsolatedGroup")(m)
			if out == "NAT" {
				group = refOf("Network/OutwardGroup")(m)
			}
			if got := m.wayOut("Functions/" + function); got != out {
				bad = append(bad, fmt.Sprintf("%s: way out: %s, want %s", function, got, out))
			} else if groups := at(m.Resources["Functions/"+function].Properties, "VpcConfig.SecurityGroupIds"); !reflect.DeepEqual(groups, []any{group}) {
				bad = append(bad, fmt.Sprintf("%s: security groups %v", function, groups))
			}
		}
		return bad
	},
	"the NAT gateway reaches the Internet": func(m *Model) (bad []string) {
		for _, subnet := range []string{"PublicA", "PublicB"} {
			table := m.routeTable(refOf("Network/" + subnet)(m))
			if out := m.Resources["Network/PublicOut"]; table == nil || out == nil || out.Properties["RouteTableId"] != table || out.Properties["GatewayId"] != refOf("Network/Internet")(m) {
				bad = append(bad, subnet+" has no route to the Internet")
			}
		}
		return bad
	},
	"functions": func(m *Model) (bad []string) {
		for path, r := range m.Resources {
			if r.Type != "AWS::Lambda::Function" {
				continue
			}
			name := strings.TrimPrefix(path, "Functions/")
			p := r.Properties
			for property, want := range map[string]any{"TracingConfig.Mode": "Active", "ReservedConcurrentExecutions": nil, "Runtime": "provided.al2023", "Handler": "bootstrap",
				"LoggingConfig.LogGroup": refOf(path + "Log")(m), "Environment.Variables.WECOM_ARCHIVE_BUCKET": m.Outputs["AuditorBucket"], "Environment.Variables.WECOM_ARCHIVE_TABLE": m.Outputs["Table"],
				"Environment.Variables.WECOM_ARCHIVE_CORP": "ww5117a9e0c0ffee01", "Environment.Variables.AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
				"Role": arnOf("Roles/" + name)(m), "Environment.Variables.WECOM_ARCHIVE_STACK": "archive"} {
				if got := at(p, property); !reflect.DeepEqual(got, want) {
					bad = append(bad, fmt.Sprintf("%s: %s is %v, want %v", path, property, got, want))
				}
			}
			limit := map[string]float64{"Admin": 29, "Signin": 29, "Callback": 10}[name] // less than the gateway waits
			if limit == 0 {
				limit = 900
			}
			if p["Timeout"] != limit || p["MemorySize"] == nil || p["Architectures"] == nil {
				bad = append(bad, path+": time, memory or architecture")
			}
			for variable := range object(at(p, "Environment.Variables")) {
				for _, word := range []string{"SECRET", "TOKEN", "PASSWORD"} {
					if strings.Contains(variable, word) && variable != "WECOM_ARCHIVE_SECRET_PREFIX" {
						bad = append(bad, path+": a secret in the environment: "+variable)
					}
				}
			}
		}
		return bad
	},
	"settings of single functions": func(m *Model) (bad []string) {
		for path, want := range map[string]map[string]any{
			"Puller":    {"CAPTURE_KEY": m.Outputs["CaptureKey"], "QUEUE_URL": m.Outputs["QueueUrl"], "SECRET_PREFIX": m.Outputs["SecretPrefix"], "LIMIT": "1000"},
			"Media":     {"CAPTURE_KEY": m.Outputs["CaptureKey"], "DERIVED": m.Outputs["DerivedBucket"], "SECRET_PREFIX": m.Outputs["SecretPrefix"], "CALLS": "3000", "SCRUB_DAYS": "365", "QUEUE_URL": refOf("Functions/MediaJobs")(m)},
			"Archiver":  {"CAPTURE_KEY": m.Outputs["CaptureKey"], "KEYRING_KEY": m.Outputs["KeyringKey"], "SCRUB_DAYS": "365", "DERIVED": m.Outputs["DerivedBucket"]},
			"Directory": {"CAPTURE_KEY": m.Outputs["CaptureKey"], "SECRET_PREFIX": m.Outputs["SecretPrefix"]},
			"Callback":  {"CAPTURE_KEY": m.Outputs["CaptureKey"], "SECRET_PREFIX": m.Outputs["SecretPrefix"], "WAKE_URL": refOf("Functions/Wakes")(m), "WAKE_DELAY": "600s"},
			"Compactor": {"DERIVED": m.Outputs["DerivedBucket"]},
			"Reindexer": {"CAPTURE_KEY": m.Outputs["CaptureKey"]},
			"Signin": {
				"SECRET_PREFIX": m.Outputs["SecretPrefix"], "SESSION_KEY": m.Outputs["SessionKey"], "ISSUER": "https://cognito-idp.ap-southeast-1.amazonaws.com/archive-people-pool",
				"CLIENT_ID": "archive-people-client", "ROLES_CLAIM": "cognito:groups", "PAGES": m.Outputs["ApiUrl"],
			},
			"Admin": {
				"DERIVED": m.Outputs["DerivedBucket"], "ROLES_CLAIM": "cognito:groups", "SESSION_KEY": m.Outputs["SessionKey"], "ISSUER": "https://cognito-idp.ap-southeast-1.amazonaws.com/archive-people-pool", "AUDIENCE": "archive-people-client", "TRUSTED_IP": m.Outputs["TrustedIp"],
				"RETENTION": "COMPLIANCE, 6-years", "PULL_SCHEDULE": at(m.Resources["Functions/Pull"].Properties, "ScheduleExpression"),
				"CALLBACK": m.Outputs["CallbackUrl"], "CAPTURE_KEY": m.Outputs["CaptureKey"], "ASK_REASON": "false",
			},
		} {
			for name, value := range want {
				if r := m.Resources["Functions/"+path]; r == nil || !reflect.DeepEqual(at(r.Properties, "Environment.Variables.WECOM_ARCHIVE_"+name), value) {
					bad = append(bad, fmt.Sprintf("%s: %s is not %v", path, name, value))
				}
			}
		}
		return bad
	},
	"logs are kept, encrypted": func(m *Model) (bad []string) {
		groups := 0
		for path, r := range m.Resources {
			if r.Type == "AWS::Logs::LogGroup" {
				groups++
				if r.Properties["KmsKeyId"] != m.Outputs["OpsKey"] || fmt.Sprint(r.Properties["RetentionInDays"]) != "400" || r.Properties["LogGroupName"] == nil {
					bad = append(bad, path)
				}
			}
		}
		if groups != 11 {
			bad = append(bad, fmt.Sprintf("%d log groups", groups))
		}
		return bad
	},
	"no wildcards but where AWS has nothing else": func(m *Model) (bad []string) {
		for path, r := range m.Resources {
			if !strings.HasPrefix(path, "Roles/") && path != "Network/FlowRole" {
				continue
			}
			policies := []any{r.Properties["PolicyDocument"]}
			for i := 0; at(r.Properties, fmt.Sprintf("Policies.%d", i)) != nil; i++ {
				policies = append(policies, at(r.Properties, fmt.Sprintf("Policies.%d.PolicyDocument", i)))
			}
			for _, p := range policies {
				statements, _ := object(p)["Statement"].([]any)
				for _, s := range statements {
					bad = append(bad, wildcards(path, object(s))...)
				}
			}
		}
		return bad
	},
	"no key names a wildcard principal": func(m *Model) (bad []string) {
		for path, r := range m.Resources {
			if r.Type == "AWS::KMS::Key" && strings.Contains(fmt.Sprint(at(r.Properties, "KeyPolicy")), "AWS:*") {
				bad = append(bad, path)
			}
		}
		return bad
	},
	"days of the tables are projected": func(m *Model) (bad []string) {
		for table, folder := range map[string]string{"Messages": "messages", "Links": "links"} {
			r := m.Resources["Questions/"+table]
			if r == nil {
				bad = append(bad, table+" is gone")
				continue
			}
			parameters := object(at(r.Properties, "TableInput.Parameters"))
			for name, want := range map[string]any{"projection.enabled": "true", "projection.dt.type": "date", "projection.dt.format": "yyyy-MM-dd", "projection.dt.range": "2020-01-01,NOW+1DAYS",
				"storage.location.template": fmt.Sprintf("s3://%v/%s/dt=${dt}/", m.Outputs["AuditorBucket"], folder)} {
				if parameters[name] != want {
					bad = append(bad, fmt.Sprintf("%s: %s is %v, want %v", table, name, parameters[name], want))
				}
			}
		}
		return bad
	},
	"only health, pages, sign-in and WeCom's signed calls are open": func(m *Model) (bad []string) {
		open := map[any]string{"GET /healthz": "Integration", "GET /": "Integration", "GET /{proxy+}": "Integration", "POST /language": "Integration", "POST /pull": "Integration", "POST /damage": "Integration", "POST /reason": "Integration",
			"GET /signin": "SigninIntegration", "GET /signin/callback": "SigninIntegration", "POST /signout": "SigninIntegration",
			"GET /callback": "CallbackIntegration", "POST /callback": "CallbackIntegration"}
		found := 0
		for path, r := range m.Resources {
			if r.Type != "AWS::ApiGatewayV2::Route" || r.Properties["AuthorizationType"] == "JWT" {
				continue
			}
			found++
			integration, ok := open[r.Properties["RouteKey"]]
			if !ok || r.Properties["Target"] != fmt.Sprint("integrations/", refOf("Functions/"+integration)(m)) {
				bad = append(bad, path)
			}
		}
		if m.Resources["Functions/HealthRoute"] != nil && found != len(open) {
			bad = append(bad, fmt.Sprintf("%d routes are open", found))
		}
		return bad
	},
	"sign-in is in no network of ours": func(m *Model) (bad []string) {
		if r := m.Resources["Functions/Signin"]; r == nil || r.Properties["VpcConfig"] != nil {
			bad = append(bad, "it is")
		}
		return bad
	},
	"access logs name no person's path": func(m *Model) (bad []string) {
		format, _ := at(m.Resources["Functions/Stage"].Properties, "AccessLogSettings.Format").(string)
		for _, word := range []string{"$context.path", "querystring", "$context.http.path"} {
			if strings.Contains(format, word) {
				bad = append(bad, word)
			}
		}
		for _, word := range []string{"requestId", "sourceIp", "routeKey", "status", "claims.sub"} {
			if !strings.Contains(format, word) {
				bad = append(bad, "no "+word)
			}
		}
		return bad
	},
	"our rules and services may use queues, topic and key": func(m *Model) (bad []string) {
		for path, want := range map[string][]string{
			"Functions/PagesPolicy": {"events.amazonaws.com", arnOf("Functions/NewPages")(m).(string)}, "Functions/DeadPagesPolicy": {"events.amazonaws.com", arnOf("Functions/NewPages")(m).(string)},
			"Functions/MediaJobsPolicy": {"events.amazonaws.com", arnOf("Functions/NewJobs")(m).(string)}, "Functions/DeadMediaPolicy": {"events.amazonaws.com", arnOf("Functions/NewJobs")(m).(string)},
			"Functions/DeadRunsPolicy": {"events.amazonaws.com", arnOf("Functions/MediaAgain")(m).(string), arnOf("Functions/LearnNames")(m).(string), arnOf("Functions/NewNames")(m).(string), arnOf("Functions/Pull")(m).(string), arnOf("Functions/Retry")(m).(string), arnOf("Functions/PullNow")(m).(string), arnOf("Functions/Compact")(m).(string), arnOf("Functions/Scrub")(m).(string)},
			"Watch/TopicPolicy":        {"cloudwatch.amazonaws.com", "events.amazonaws.com", m.Place.Account},
			"OpsKey":                   {"events.amazonaws.com", "cloudwatch.amazonaws.com", "s3.amazonaws.com", "cloudtrail.amazonaws.com", "logs." + m.Place.Region},
			"LogBucketPolicy":          {"logging.s3.amazonaws.com", "cloudtrail.amazonaws.com", "trail/archive"},
		} {
			allows := ""
			if r := m.Resources[path]; r != nil {
				for _, document := range []string{"PolicyDocument", "KeyPolicy"} {
					statements, _ := at(r.Properties, document+".Statement").([]any)
					for _, s := range statements {
						if at(s, "Effect") == "Allow" && len(object(at(s, "Condition"))) > 0 {
							allows += fmt.Sprint(s)
						}
					}
				}
			}
			for _, word := range want {
				if !strings.Contains(allows, word) {
					bad = append(bad, path+" does not allow "+word)
				}
			}
		}
		return bad
	},
	"what talks to queues, topic and logs is encrypted in transit": func(m *Model) (bad []string) {
		for _, path := range []string{"ArchiveBucketPolicy", "DerivedBucketPolicy", "LogBucketPolicy", "Functions/PagesPolicy", "Functions/DeadPagesPolicy", "Functions/MediaJobsPolicy", "Functions/DeadMediaPolicy", "Functions/DeadRunsPolicy", "Functions/WakesPolicy", "Watch/TopicPolicy"} {
			found := false
			if r := m.Resources[path]; r != nil {
				statements, _ := at(r.Properties, "PolicyDocument.Statement").([]any)
				for _, s := range statements {
					found = found || at(s, "Effect") == "Deny" && at(s, "Principal") == "*" && fmt.Sprint(at(s, "Condition")) == "map[Bool:map[aws:SecureTransport:false]]"
				}
			}
			if !found {
				bad = append(bad, path)
			}
		}
		return bad
	},
}

func wildcards(path string, s map[string]any) (bad []string) {
	if s["Effect"] != "Allow" || s["Principal"] != nil {
		return nil
	}
	text := func(v any) string { return fmt.Sprint(v) }
	if strings.Contains(text(s["Action"]), "*") {
		bad = append(bad, path+": "+text(s["Action"]))
	}
	if text(s["Resource"]) == "*" && s["Sid"] != "Trace" && s["Sid"] != "LambdaJoinsTheNetwork" {
		bad = append(bad, path+": resource * for "+text(s["Action"]))
	}
	return bad
}

// wayOut says how a function reaches addresses outside: by the NAT gateway, not at
// all, or some other way, which is wrong. Gateway endpoints are no routes of ours.
func (m *Model) wayOut(function string) string {
	r := m.Resources[function]
	if r == nil {
		return "it is gone"
	}
	subnets, _ := at(r.Properties, "VpcConfig.SubnetIds").([]any)
	if len(subnets) != 2 {
		return "outside the network, or in one zone only"
	}
	ways := map[string]bool{}
	for _, subnet := range subnets {
		table := m.routeTable(subnet)
		if table == nil {
			return "the network's main route table"
		}
		way := "none"
		for _, route := range m.Resources {
			if route.Type == "AWS::EC2::Route" && route.Properties["RouteTableId"] == table {
				way = "other"
				if route.Properties["NatGatewayId"] == refOf("Network/Nat")(m) {
					way = "NAT"
				}
			}
		}
		ways[way] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(ways)), ", ")
}

func (m *Model) routeTable(subnet any) any {
	for _, a := range m.Resources {
		if a.Type == "AWS::EC2::SubnetRouteTableAssociation" && a.Properties["SubnetId"] == subnet {
			return a.Properties["RouteTableId"]
		}
	}
	return nil
}

func TestPins(t *testing.T) {
	m := resolve(t, expanded(t), scenes[0])
	for _, p := range pins() {
		for _, bad := range p.check(m) {
			t.Error(bad)
		}
	}
}

func TestRules(t *testing.T) {
	m := resolve(t, expanded(t), scenes[0])
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			for _, bad := range rule(m) {
				t.Error(bad)
			}
		})
	}
}

// TestScenes: what differs by place and choice.
func TestScenes(t *testing.T) {
	e := expanded(t)
	for _, s := range scenes {
		m := resolve(t, e, s)
		open, pool := m.Resources["Functions/HealthRoute"] != nil, m.Resources["People/Pool"] != nil
		if wantOpen := s.place.Partition == "aws" || s.parameters["IcpLicence"] == "yes"; open != wantOpen {
			t.Errorf("%s: health route %v", s.name, open)
		}
		for _, route := range []string{"CallbackRoute", "CallbackCheckRoute"} {
			if got := m.Resources["Functions/"+route] != nil; got != open {
				t.Errorf("%s: %s %v", s.name, route, got)
			}
		}
		if url := m.Outputs["CallbackUrl"]; (url != nil) != open {
			t.Errorf("%s: callback %v", s.name, url)
		}
		if wantPool := s.parameters["Issuer"] == ""; pool != wantPool {
			t.Errorf("%s: user pool %v", s.name, pool)
		}
		if s.place == Beijing {
			for path, r := range m.Resources {
				if text := fmt.Sprint(r.Properties); strings.Contains(text, "arn:aws:") || strings.Contains(r.Type, "Cognito") {
					t.Errorf("%s: %s is not for China", s.name, path)
				}
			}
		}
		for path := range m.Resources {
			if s.name == "adopted" && slices.Contains(lasting, path) && path != "LogBucket" && !strings.HasPrefix(path, "People") {
				t.Errorf("adopted: %s is made anew", path)
			}
		}
	}
	m := resolve(t, e, scenes[5])
	for output, want := range map[string]string{"AuditorBucket": "old-archive", "DerivedBucket": "old-derived", "Table": "old-table", "ContentKey": adopted["ExistingContentKey"], "TrustedIp": "203.0.113.9"} {
		if m.Outputs[output] != want {
			t.Errorf("adopted: %s is %v", output, m.Outputs[output])
		}
	}
	if at(m.Resources["ArchiveBucketPolicy"].Properties, "Bucket") != "old-archive" {
		t.Error("adopted: the bucket has no policy of ours")
	}
}
