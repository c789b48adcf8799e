//go:build template

package template

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// pin is a property that must have a value: the rules of docs/aws.md, "What the template
// must have", that are a value, one a line.
type pin struct {
	resource, property string
	want               any
}

func (p pin) check(m *Model) []string {
	r := m.Resources[p.resource]
	if r == nil {
		return []string{p.resource + " is gone"}
	}
	want := p.want
	if f, ok := want.(func(*Model) any); ok {
		want = f(m)
	}
	if got := at(r.Properties, p.property); !reflect.DeepEqual(got, want) {
		return []string{fmt.Sprintf("%s: %s is %v, want %v", p.resource, p.property, got, want)}
	}
	return nil
}

func output(name string) func(*Model) any { return func(m *Model) any { return m.Outputs[name] } }

func arnOf(path string) func(*Model) any {
	return func(m *Model) any {
		if r := m.Resources[path]; r != nil {
			return m.Place.attribute(r, "Arn")
		}
		return "nothing"
	}
}

func refOf(path string) func(*Model) any {
	return func(m *Model) any {
		if r := m.Resources[path]; r != nil {
			return m.Place.ref(r)
		}
		return "nothing"
	}
}

// pins hold in a new production stack with its own user pool.
func pins() (all []pin) {
	add := func(resource string, properties map[string]any) {
		for _, p := range slices.Sorted(maps.Keys(properties)) {
			all = append(all, pin{resource, p, properties[p]})
		}
	}
	for _, bucket := range []string{"ArchiveBucket", "DerivedBucket", "LogBucket"} {
		add(bucket, map[string]any{
			"VersioningConfiguration.Status":                       "Enabled",
			"PublicAccessBlockConfiguration.BlockPublicAcls":       true,
			"PublicAccessBlockConfiguration.BlockPublicPolicy":     true,
			"PublicAccessBlockConfiguration.IgnorePublicAcls":      true,
			"PublicAccessBlockConfiguration.RestrictPublicBuckets": true,
			"OwnershipControls.Rules":                              []any{map[string]any{"ObjectOwnership": "BucketOwnerEnforced"}},
		})
	}
	encryption := "BucketEncryption.ServerSideEncryptionConfiguration.0."
	for _, bucket := range []string{"ArchiveBucket", "DerivedBucket"} {
		add(bucket, map[string]any{
			encryption + "BucketKeyEnabled":                             true,
			encryption + "ServerSideEncryptionByDefault.SSEAlgorithm":   "aws:kms",
			encryption + "ServerSideEncryptionByDefault.KMSMasterKeyID": output("ContentKey"),
			"LoggingConfiguration.DestinationBucketName":                refOf("LogBucket"),
		})
	}
	add("ArchiveBucket", map[string]any{
		"ObjectLockEnabled": true,
		"ObjectLockConfiguration": map[string]any{"ObjectLockEnabled": "Enabled",
			"Rule": map[string]any{"DefaultRetention": map[string]any{"Mode": "COMPLIANCE", "Days": 2223.0}}},
		"NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled": true,
		"LoggingConfiguration.LogFilePrefix":                                    "s3/archive/",
		"LifecycleConfiguration":                                                nil, // nothing in the archive expires
	})
	add("DerivedBucket", map[string]any{
		"LoggingConfiguration.LogFilePrefix":                                    "s3/derived/",
		"NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled": true,
	})
	add("LogBucket", map[string]any{encryption + "ServerSideEncryptionByDefault.SSEAlgorithm": "AES256"})
	add("Table", map[string]any{
		"BillingMode": "PAY_PER_REQUEST", "DeletionProtectionEnabled": true,
		"PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled": true,
		"SSESpecification": func(m *Model) any {
			return map[string]any{"SSEEnabled": true, "SSEType": "KMS", "KMSMasterKeyId": m.Outputs["OpsKey"]}
		},
		"KeySchema":            []any{map[string]any{"AttributeName": "p", "KeyType": "HASH"}, map[string]any{"AttributeName": "s", "KeyType": "RANGE"}},
		"AttributeDefinitions": []any{map[string]any{"AttributeName": "p", "AttributeType": "S"}, map[string]any{"AttributeName": "s", "AttributeType": "S"}},
	})
	for _, key := range []string{"CaptureKey", "ContentKey", "KeyringKey", "OpsKey"} {
		add(key, map[string]any{"EnableKeyRotation": true, "PendingWindowInDays": 30.0, "KeySpec": nil, "KeyUsage": nil, "Origin": nil})
	}
	add("Address", map[string]any{"Domain": "vpc"})
	add("Trail", map[string]any{
		"IsLogging": true, "EnableLogFileValidation": true, "KMSKeyId": output("OpsKey"), "S3BucketName": refOf("LogBucket"),
		"AdvancedEventSelectors": func(m *Model) any {
			return []any{map[string]any{"Name": "Every read and write of the archive, and of answers made of it", "FieldSelectors": []any{
				map[string]any{"Field": "eventCategory", "Equals": []any{"Data"}},
				map[string]any{"Field": "resources.type", "Equals": []any{"AWS::S3::Object"}},
				map[string]any{"Field": "resources.ARN", "StartsWith": []any{thingsOf(m).archive + "/", thingsOf(m).derived + "/athena/"}}}}}
		},
	})
	for _, queue := range []string{"Pages", "DeadPages", "MediaJobs", "DeadMedia", "DeadRuns"} {
		add("Functions/"+queue, map[string]any{"KmsMasterKeyId": output("OpsKey"), "MessageRetentionPeriod": 1209600.0})
	}
	add("Functions/Pages", map[string]any{
		"RedrivePolicy.deadLetterTargetArn": arnOf("Functions/DeadPages"), "RedrivePolicy.maxReceiveCount": 5.0,
		"VisibilityTimeout": 5400.0, // at least six times the function's time
	})
	add("Functions/DeadPages", map[string]any{"RedriveAllowPolicy.redrivePermission": "byQueue",
		"RedriveAllowPolicy.sourceQueueArns": func(m *Model) any { return []any{arnOf("Functions/Pages")(m)} }})
	add("Functions/MediaJobs", map[string]any{
		"RedrivePolicy.deadLetterTargetArn": arnOf("Functions/DeadMedia"), "RedrivePolicy.maxReceiveCount": 30.0,
		"VisibilityTimeout": 960.0, // more than the function's time; what that was too short for goes on soon
	})
	add("Functions/DeadMedia", map[string]any{"RedriveAllowPolicy.redrivePermission": "byQueue",
		"RedriveAllowPolicy.sourceQueueArns": func(m *Model) any { return []any{arnOf("Functions/MediaJobs")(m)} }})
	add("Functions/MediaJobs", map[string]any{"QueueName": "archive-media"})
	add("Functions/NewJobs", map[string]any{
		"State": nil, "EventPattern.source": []any{"aws.s3"}, "EventPattern.detail-type": []any{"Object Created"},
		"EventPattern.detail.bucket.name": func(m *Model) any { return []any{m.Outputs["DerivedBucket"]} },
		"EventPattern.detail.object.key":  []any{map[string]any{"prefix": "fetch/"}}, "Targets.0.Arn": arnOf("Functions/MediaJobs"),
		"Targets.0.DeadLetterConfig.Arn": arnOf("Functions/DeadMedia"),
		"Targets.0.RetryPolicy":          map[string]any{"MaximumEventAgeInSeconds": 86400.0, "MaximumRetryAttempts": 185.0},
	})
	add("Functions/ArchiverPage", map[string]any{
		"FunctionResponseTypes": []any{"ReportBatchItemFailures"}, "ScalingConfig.MaximumConcurrency": "4",
		"EventSourceArn": arnOf("Functions/Pages"), "FunctionName": refOf("Functions/Archiver"), "BatchSize": 10.0,
	})
	add("Functions/MediaList", map[string]any{
		"FunctionResponseTypes": []any{"ReportBatchItemFailures"}, "ScalingConfig.MaximumConcurrency": "2",
		"EventSourceArn": arnOf("Functions/MediaJobs"), "FunctionName": refOf("Functions/Media"), "BatchSize": 10.0,
	})
	add("Functions/PullerWake", map[string]any{
		"ScalingConfig.MaximumConcurrency": 2.0, "EventSourceArn": arnOf("Functions/Wakes"), "FunctionName": refOf("Functions/Puller"), "BatchSize": 10.0, "FunctionResponseTypes": nil,
	})
	add("Functions/Wakes", map[string]any{"KmsMasterKeyId": output("OpsKey"), "MessageRetentionPeriod": 86400.0, "VisibilityTimeout": 5400.0,
		"RedrivePolicy.deadLetterTargetArn": arnOf("Functions/DeadRuns"), "RedrivePolicy.maxReceiveCount": 1.0})
	for _, route := range []string{"CallbackRoute", "CallbackCheckRoute"} {
		add("Functions/"+route, map[string]any{"Target": "integrations/archive-functions-callbackintegration"})
	}
	add("Functions/CallbackIntegration", map[string]any{"PayloadFormatVersion": "2.0", "IntegrationUri": arnOf("Functions/Callback"), "IntegrationType": "AWS_PROXY", "TimeoutInMillis": 11000.0})
	add("Functions/CallbackPermission", map[string]any{"Principal": "apigateway.amazonaws.com", "Action": "lambda:InvokeFunction", "FunctionName": refOf("Functions/Callback"),
		"SourceArn": "arn:aws:execute-api:ap-southeast-1:123456789012:archive-api/*/*/callback"})
	for _, schedule := range []struct{ rule, function, expression, input string }{
		{"Pull", "Puller", "cron(30 18 * * ? *)", `{"reason":"schedule"}`}, {"Retry", "Puller", "rate(1 hour)", `{"reason":"retry"}`},
		{"Compact", "Compactor", "cron(0 20 * * ? *)", `{"reason":"schedule"}`}, {"MediaAgain", "Media", "rate(30 minutes)", `{"reason":"schedule"}`},
		{"LearnNames", "Directory", "cron(0 19 * * ? *)", `{"reason":"schedule"}`}, {"NewNames", "Directory", "rate(1 hour)", `{"reason":"new"}`},
		{"IssuerKeys", "Signin", "rate(1 hour)", `{"reason":"schedule"}`}, {"Scrub", "Archiver", "cron(0 22 * * ? *)", `{"reason":"scrub"}`},
	} {
		add("Functions/"+schedule.rule, map[string]any{
			"State": nil, "ScheduleExpression": schedule.expression, "Targets.0.Arn": arnOf("Functions/" + schedule.function), "Targets.0.Input": schedule.input,
			"Targets.0.RetryPolicy.MaximumRetryAttempts": 10.0, "Targets.0.RetryPolicy.MaximumEventAgeInSeconds": 3600.0,
			"Targets.0.DeadLetterConfig.Arn": arnOf("Functions/DeadRuns"),
		})
		add("Functions/"+schedule.rule+"Permission", map[string]any{"Principal": "events.amazonaws.com", "Action": "lambda:InvokeFunction",
			"SourceArn": arnOf("Functions/" + schedule.rule), "FunctionName": refOf("Functions/" + schedule.function)})
	}
	add("Functions/Scrub", map[string]any{
		"Targets.1.Arn": arnOf("Functions/Media"), "Targets.1.Input": `{"reason":"scrub"}`, "Targets.1.DeadLetterConfig.Arn": arnOf("Functions/DeadRuns"),
		"Targets.1.RetryPolicy.MaximumEventAgeInSeconds": 3600.0, "Targets.1.RetryPolicy.MaximumRetryAttempts": 10.0,
	})
	add("Functions/ScrubFilesPermission", map[string]any{"Principal": "events.amazonaws.com", "Action": "lambda:InvokeFunction",
		"SourceArn": arnOf("Functions/Scrub"), "FunctionName": refOf("Functions/Media")})
	add("Functions/PullNow", map[string]any{
		"State": nil, "Targets.0.Arn": arnOf("Functions/Puller"), "Targets.0.Input": `{"reason":"request"}`, "Targets.0.DeadLetterConfig.Arn": arnOf("Functions/DeadRuns"),
		"Targets.0.RetryPolicy.MaximumEventAgeInSeconds": 3600.0, "Targets.0.RetryPolicy.MaximumRetryAttempts": 10.0,
		"EventPattern": func(m *Model) any {
			return map[string]any{"source": []any{"aws.s3"}, "detail-type": []any{"Object Created"}, "detail": map[string]any{
				"bucket": map[string]any{"name": []any{m.Outputs["AuditorBucket"]}}, "object": map[string]any{"key": []any{map[string]any{"wildcard": "events/dt=*/pullrequest-*"}}}}}
		},
	})
	add("Functions/PullNowPermission", map[string]any{"Principal": "events.amazonaws.com", "Action": "lambda:InvokeFunction",
		"SourceArn": arnOf("Functions/PullNow"), "FunctionName": refOf("Functions/Puller")})
	for function, retries := range map[string]float64{"Puller": 1, "Media": 1, "Directory": 0, "Compactor": 1, "Signin": 1} {
		add("Functions/"+function+"EventInvokeConfig", map[string]any{"DestinationConfig.OnFailure.Destination": arnOf("Functions/DeadRuns"),
			"MaximumRetryAttempts": retries, "MaximumEventAgeInSeconds": 3600.0, "FunctionName": refOf("Functions/" + function), "Qualifier": "$LATEST"})
	}
	add("Functions/NewPages", map[string]any{
		"State": nil, "Targets.0.Arn": arnOf("Functions/Pages"), "Targets.0.DeadLetterConfig.Arn": arnOf("Functions/DeadPages"),
		"Targets.0.RetryPolicy.MaximumEventAgeInSeconds": 86400.0, "Targets.0.RetryPolicy.MaximumRetryAttempts": 185.0,
		"EventPattern": func(m *Model) any {
			return map[string]any{"source": []any{"aws.s3"}, "detail-type": []any{"Object Created"}, "detail": map[string]any{
				"bucket": map[string]any{"name": []any{m.Outputs["AuditorBucket"]}}, "object": map[string]any{"key": []any{map[string]any{"prefix": "pages/"}}}}}
		},
	})
	add("Functions/Authorizer", map[string]any{"AuthorizerType": "JWT", "JwtConfiguration.Issuer": "https://cognito-idp.ap-southeast-1.amazonaws.com/archive-people-pool",
		"JwtConfiguration.Audience": []any{"archive-people-client"}, "IdentitySource": []any{"$request.header.Authorization"}})
	add("Functions/ContentRoute", map[string]any{"AuthorizationType": "JWT", "AuthorizerId": refOf("Functions/Authorizer"), "RouteKey": "GET /v1/{proxy+}", "Target": "integrations/archive-functions-integration"})
	add("Functions/Integration", map[string]any{"PayloadFormatVersion": "2.0", "IntegrationUri": arnOf("Functions/Admin"), "IntegrationType": "AWS_PROXY", "TimeoutInMillis": 30000.0})
	add("Functions/SigninIntegration", map[string]any{"PayloadFormatVersion": "2.0", "IntegrationUri": arnOf("Functions/Signin"), "IntegrationType": "AWS_PROXY", "TimeoutInMillis": 30000.0})
	add("Functions/SigninPermission", map[string]any{"Principal": "apigateway.amazonaws.com", "Action": "lambda:InvokeFunction", "FunctionName": refOf("Functions/Signin"),
		"SourceArn": "arn:aws:execute-api:ap-southeast-1:123456789012:archive-api/*"})
	add("SessionKey", map[string]any{"EnableKeyRotation": true, "PendingWindowInDays": 7.0})
	add("People/Domain", map[string]any{"UserPoolId": refOf("People/Pool"), "Domain": "archive-123456789012"})
	add("Functions/Stage", map[string]any{"AccessLogSettings.DestinationArn": arnOf("Functions/ApiLog"), "StageName": "$default", "AutoDeploy": true,
		"DefaultRouteSettings.ThrottlingBurstLimit": 50.0, "DefaultRouteSettings.ThrottlingRateLimit": 25.0, "DefaultRouteSettings.DetailedMetricsEnabled": true})
	add("Api", map[string]any{"CorsConfiguration": nil, "ProtocolType": "HTTP"})
	add("Functions/ApiPermission", map[string]any{"Principal": "apigateway.amazonaws.com", "Action": "lambda:InvokeFunction", "FunctionName": refOf("Functions/Admin"),
		"SourceArn": "arn:aws:execute-api:ap-southeast-1:123456789012:archive-api/*"})
	add("People/Pool", map[string]any{"MfaConfiguration": "ON", "EnabledMfas": []any{"SOFTWARE_TOKEN_MFA"}, "DeletionProtection": "ACTIVE",
		"AdminCreateUserConfig.AllowAdminCreateUserOnly": true, "AccountRecoverySetting.RecoveryMechanisms": []any{map[string]any{"Name": "admin_only", "Priority": 1.0}},
		"Policies.PasswordPolicy":             map[string]any{"MinimumLength": 14.0, "TemporaryPasswordValidityDays": 3.0},
		"UsernameConfiguration.CaseSensitive": false, "UsernameAttributes": []any{"email"}, "AutoVerifiedAttributes": []any{"email"}})
	add("People/Client", map[string]any{"AccessTokenValidity": 60.0, "IdTokenValidity": 60.0, "RefreshTokenValidity": 12.0, "EnableTokenRevocation": true, "PreventUserExistenceErrors": "ENABLED",
		"TokenValidityUnits":              map[string]any{"AccessToken": "minutes", "IdToken": "minutes", "RefreshToken": "hours"},
		"AllowedOAuthFlowsUserPoolClient": true, "AllowedOAuthFlows": []any{"code"}, "AllowedOAuthScopes": []any{"openid", "profile"}, "SupportedIdentityProviders": []any{"COGNITO"},
		"CallbackURLs":   func(m *Model) any { return []any{fmt.Sprint(m.Outputs["ApiUrl"], "/signin/callback")} },
		"LogoutURLs":     func(m *Model) any { return []any{fmt.Sprint(m.Outputs["ApiUrl"], "/signed-out")} },
		"GenerateSecret": false, "ExplicitAuthFlows": []any{"ALLOW_REFRESH_TOKEN_AUTH"}, "WriteAttributes": []any{"locale"}, "UserPoolId": refOf("People/Pool")})
	add("Watch/Topic", map[string]any{"KmsMasterKeyId": output("OpsKey")})
	add("Network/Nat", map[string]any{"AllocationId": output("AddressAllocation"), "SubnetId": refOf("Network/PublicA"), "ConnectivityType": nil})
	add("Network/KmsEndpoint", map[string]any{"PrivateDnsEnabled": true, "VpcEndpointType": "Interface", "ServiceName": "com.amazonaws.ap-southeast-1.kms",
		"SubnetIds": func(m *Model) any { return []any{refOf("Network/IsolatedA")(m), refOf("Network/IsolatedB")(m)} }, "SecurityGroupIds": func(m *Model) any { return []any{refOf("Network/EndpointGroup")(m)} }})
	for service, endpoint := range map[string]string{"s3": "S3Endpoint", "dynamodb": "DynamoEndpoint"} {
		add("Network/"+endpoint, map[string]any{"VpcEndpointType": "Gateway", "ServiceName": "com.amazonaws.ap-southeast-1." + service,
			"RouteTableIds": func(m *Model) any {
				return []any{refOf("Network/PrivateRoutes")(m), refOf("Network/IsolatedRoutes")(m)}
			}})
	}
	add("Network/EndpointGroup", map[string]any{"SecurityGroupIngress": func(m *Model) any {
		return []any{map[string]any{"IpProtocol": "tcp", "FromPort": 443.0, "ToPort": 443.0, "SourceSecurityGroupId": refOf("Network/IsolatedGroup")(m), "Description": "HTTPS"}}
	}, "SecurityGroupEgress.0.CidrIp": "127.0.0.1/32", "SecurityGroupEgress.1": nil})
	for _, group := range []string{"OutwardGroup", "IsolatedGroup"} {
		add("Network/"+group, map[string]any{"SecurityGroupIngress": nil, "SecurityGroupEgress.0.IpProtocol": "tcp", "SecurityGroupEgress.0.FromPort": 443.0,
			"SecurityGroupEgress.0.ToPort": 443.0, "SecurityGroupEgress.0.CidrIp": "0.0.0.0/0", "SecurityGroupEgress.1": nil})
	}
	for _, group := range []string{"OutwardGroup", "IsolatedGroup", "EndpointGroup"} {
		add("Network/"+group, map[string]any{"VpcId": refOf("Network/Vpc")})
	}
	add("Network/NameRules", map[string]any{"FirewallRules.0.Action": "ALLOW", "FirewallRules.0.Priority": 10.0, "FirewallRules.1.Action": "BLOCK", "FirewallRules.1.BlockResponse": "NXDOMAIN",
		"FirewallRules.1.Priority": 20.0, "FirewallRules.0.FirewallDomainListId": refOf("Network/Names"), "FirewallRules.1.FirewallDomainListId": refOf("Network/AllNames"),
		"FirewallRules.0.FirewallDomainRedirectionAction": "TRUST_REDIRECTION_DOMAIN", "FirewallRules.2": nil})
	add("Network/AllNames", map[string]any{"Domains": []any{"*"}})
	add("Network/Names", map[string]any{"Domains": []any{"qyapi.weixin.qq.com", "checkip.amazonaws.com", "s3.ap-southeast-1.amazonaws.com", "archive-archivebucket.s3.ap-southeast-1.amazonaws.com",
		"archive-derivedbucket.s3.ap-southeast-1.amazonaws.com", "dynamodb.ap-southeast-1.amazonaws.com", "kms.ap-southeast-1.amazonaws.com", "sqs.ap-southeast-1.amazonaws.com", "ssm.ap-southeast-1.amazonaws.com"}})
	add("Network/NameRulesInVpc", map[string]any{"VpcId": refOf("Network/Vpc"), "FirewallRuleGroupId": refOf("Network/NameRules"), "Priority": 200.0})
	add("Network/Flow", map[string]any{"TrafficType": "ALL", "ResourceType": "VPC", "ResourceId": refOf("Network/Vpc"), "LogGroupName": refOf("Network/FlowLogs"), "DeliverLogsPermissionArn": arnOf("Network/FlowRole")})
	return append(append(all, questionPins()...), alarmPins()...)
}

// alarmPins: the countdown of invariant 9, and the alarms of docs/aws.md, "What the
// template must have".
func alarmPins() (all []pin) {
	add := func(name, metric string, statistic string, period, evaluations, threshold float64, comparison, missing string) {
		for property, want := range map[string]any{"MetricName": metric, "Statistic": statistic, "Period": period, "EvaluationPeriods": evaluations, "Threshold": threshold,
			"ComparisonOperator": comparison, "TreatMissingData": missing, "ActionsEnabled": nil, "DatapointsToAlarm": nil,
			"AlarmActions": func(m *Model) any { return []any{arnOf("Watch/Topic")(m)} }, "OKActions": func(m *Model) any { return []any{arnOf("Watch/Topic")(m)} }} {
			all = append(all, pin{"Watch/" + name, property, want})
		}
	}
	for _, hours := range []float64{26, 48, 72, 96} {
		add(fmt.Sprintf("Behind%vh", hours), "EndReached", "Sum", 3600, hours, 1, "LessThanThreshold", "breaching")
	}
	const over = "GreaterThanOrEqualToThreshold"
	ours := func(name, metric string) {
		add(name, metric, "Sum", 300, 1, 1, over, "notBreaching")
	}
	for name, metric := range map[string]string{"Gap": "Gaps", "Quarantine": "Quarantined", "Rejects": "Rejects", "Incident": "Incidents", "Refused": "Refused", "Quiet": "QuietAlarm", "Unparsed": "UnparsedAlarm", "LibraryCrash": "ChildRestarts", "MediaLost": "MediaLost", "MediaFailed": "MediaFailed", "CallbackFails": "CallbackFails"} {
		ours(name, metric)
	}
	// What stands until it is mended rings as long as the daily pull finds it.
	for name, metric := range map[string]string{"Damage": "Damaged", "Hole": "Holes", "Stray": "Strays", "Derived": "DerivedDamage"} {
		add(name, metric, "Maximum", 86400, 1, 1, over, "notBreaching")
	}
	for name := range map[string]bool{"Damage": true, "Hole": true, "Stray": true, "Derived": true, "Gap": true, "Quarantine": true, "Rejects": true, "Incident": true, "Refused": true, "Quiet": true, "Unparsed": true, "LibraryCrash": true, "MediaLost": true, "MediaFailed": true, "CallbackFails": true, "Behind26h": true, "Behind48h": true, "Behind72h": true, "Behind96h": true} {
		all = append(all, pin{"Watch/" + name, "Namespace", "wecom-archive"}, pin{"Watch/" + name, "Dimensions", []any{map[string]any{"Name": "Stack", "Value": "archive"}}})
	}
	add("PagesWait", "ApproximateAgeOfOldestMessage", "Maximum", 300, 3, 3600, over, "notBreaching")
	add("MediaWait", "ApproximateAgeOfOldestMessage", "Maximum", 300, 3, 21600, over, "notBreaching")
	for alarm, queue := range map[string]string{"PagesWait": "pages", "DeadPage": "dead-pages", "MediaWait": "media", "DeadJobList": "dead-media", "DeadRun": "dead-runs"} {
		if !strings.HasSuffix(alarm, "Wait") {
			add(alarm, "ApproximateNumberOfMessagesVisible", "Maximum", 300, 1, 1, over, "notBreaching")
		}
		all = append(all, pin{"Watch/" + alarm, "Namespace", "AWS/SQS"}, pin{"Watch/" + alarm, "Dimensions", []any{map[string]any{"Name": "QueueName", "Value": "archive-" + queue}}})
	}
	for _, f := range []string{"Puller", "Archiver", "Media", "Directory", "Callback", "Compactor", "Admin", "Signin"} {
		add(f+"Errors", "Errors", "Sum", 300, 3, 1, over, "notBreaching")
		add(f+"Throttled", "Throttles", "Sum", 300, 6, 1, over, "notBreaching")
		for _, alarm := range []string{f + "Errors", f + "Throttled"} {
			all = append(all, pin{"Watch/" + alarm, "Namespace", "AWS/Lambda"}, pin{"Watch/" + alarm, "Dimensions", []any{map[string]any{"Name": "FunctionName", "Value": "archive-" + strings.ToLower(f)}}})
		}
	}
	add("ApiFails", "5xx", "Sum", 300, 3, 1, over, "notBreaching")
	all = append(all, pin{"Watch/ApiFails", "Namespace", "AWS/ApiGateway"}, pin{"Watch/ApiFails", "Dimensions", []any{map[string]any{"Name": "ApiId", "Value": "archive-api"}}})
	for rule, source := range map[string]string{"KeyChanged": "kms", "BucketChanged": "s3"} {
		r := "Watch/" + rule
		all = append(all, pin{r, "State", nil}, pin{r, "EventPattern.source", []any{"aws." + source}}, pin{r, "EventPattern.detail-type", []any{"AWS API Call via CloudTrail"}},
			pin{r, "EventPattern.detail.eventSource", []any{source + ".amazonaws.com"}}, pin{r, "Targets.0.Arn", arnOf("Watch/Topic")})
	}
	return append(all,
		pin{"Watch/KeyChanged", "EventPattern.detail.eventName", []any{"PutKeyPolicy", "DisableKey", "ScheduleKeyDeletion", "CreateGrant", "DisableKeyRotation"}},
		pin{"Watch/KeyChanged", "EventPattern.detail.resources.ARN", func(m *Model) any {
			return []any{m.Outputs["CaptureKey"], m.Outputs["ContentKey"], m.Outputs["KeyringKey"], m.Outputs["OpsKey"], m.Outputs["SessionKey"]}
		}},
		pin{"Watch/BucketChanged", "EventPattern.detail.requestParameters.bucketName", func(m *Model) any { return []any{m.Outputs["AuditorBucket"]} }},
		pin{"Watch/BucketChanged", "EventPattern.detail.eventName", []any{"PutBucketPolicy", "DeleteBucketPolicy", "PutObjectLockConfiguration", "PutBucketObjectLockConfiguration",
			"PutBucketVersioning", "PutBucketEncryption", "PutBucketLifecycle", "PutBucketLifecycleConfiguration", "PutBucketNotification", "PutBucketPublicAccessBlock", "DeleteBucketPublicAccessBlock"}},
	)
}

// questionPins: a question costs no more than it may, and its answer lies where only
// auditors read, under the key of messages.
func questionPins() (all []pin) {
	add := func(resource string, properties map[string]any) {
		for _, p := range slices.Sorted(maps.Keys(properties)) {
			all = append(all, pin{resource, p, properties[p]})
		}
	}
	configuration := "WorkGroupConfiguration."
	add("Questions/Workgroup", map[string]any{
		"Name": "archive", "State": "ENABLED", "RecursiveDeleteOption": true,
		configuration + "EnforceWorkGroupConfiguration": true, configuration + "PublishCloudWatchMetricsEnabled": true, configuration + "RequesterPaysEnabled": false,
		configuration + "BytesScannedCutoffPerQuery": "100000000000", configuration + "EngineVersion.SelectedEngineVersion": "Athena engine version 3",
		configuration + "ResultConfiguration.OutputLocation":                           func(m *Model) any { return fmt.Sprintf("s3://%v/athena/", m.Outputs["DerivedBucket"]) },
		configuration + "ResultConfiguration.ExpectedBucketOwner":                      "123456789012",
		configuration + "ResultConfiguration.EncryptionConfiguration.EncryptionOption": "SSE_KMS",
		configuration + "ResultConfiguration.EncryptionConfiguration.KmsKey":           output("ContentKey"),
	})
	for table, folder := range map[string]string{"Messages": "messages", "Links": "links"} {
		add("Questions/"+table, map[string]any{
			"DatabaseName": refOf("Questions/Database"), "CatalogId": "123456789012", "TableInput.Name": folder, "TableInput.TableType": "EXTERNAL_TABLE",
			"TableInput.PartitionKeys":               []any{map[string]any{"Name": "dt", "Type": "string", "Comment": "Day of the pull, UTC."}},
			"TableInput.Parameters.EXTERNAL":         "TRUE",
			"TableInput.Parameters.classification":   map[string]string{"messages": "parquet", "links": "json"}[folder],
			"TableInput.StorageDescriptor.Location":  func(m *Model) any { return fmt.Sprintf("s3://%v/%s/", m.Outputs["AuditorBucket"], folder) },
			"TableInput.StorageDescriptor.SerdeInfo": map[string]any{"SerializationLibrary": map[string]string{"messages": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe", "links": "org.openx.data.jsonserde.JsonSerDe"}[folder]},
		})
	}
	return all
}
