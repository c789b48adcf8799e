"""Creates the stack on moto, and looks at what came of it.

    python3 smoke.py ENDPOINT expanded.json

A smoke test: moto makes no API Gateway v2, no user pool, no firewall, and drops lock,
versioning and recovery of what it makes. It shows that references between the
templates resolve in an implementation that is not ours.
"""

import json
import sys

import boto3

endpoint, path = sys.argv[1:]
client = lambda name: boto3.client(name, endpoint_url=endpoint, region_name="us-east-1")
with open(path) as file:
    templates = json.load(file)["templates"]


def without_cidr(value):
    """moto has no Fn::Cidr."""
    if isinstance(value, list):
        return [without_cidr(v) for v in value]
    if not isinstance(value, dict):
        return value
    chosen = value.get("Fn::Select")
    if isinstance(chosen, list) and isinstance(chosen[1], dict) and "Fn::Cidr" in chosen[1]:
        return f"10.61.{chosen[0]}.0/24"
    return {k: without_cidr(v) for k, v in value.items()}


templates = without_cidr(templates)
s3 = client("s3")
s3.create_bucket(Bucket="templates")
for name, template in templates.items():
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::CloudFormation::Stack":
            p = resource["Properties"]
            p["TemplateURL"] = "https://templates.s3.amazonaws.com/" + p["TemplateURL"].replace("/", "-")
    s3.put_object(Bucket="templates", Key=name.replace("/", "-"), Body=json.dumps(template))
s3.create_bucket(Bucket="packaged")
s3.put_object(Bucket="packaged", Key="code", Body=b"PK")

cf = client("cloudformation")
parameters = {"Corp": "ww5117a9e0c0ffee01", "Retention": "1-day", "LockMode": "GOVERNANCE", "AlarmEmail": "ops@example.com"}
cf.create_stack(
    StackName="archive",
    TemplateURL="https://templates.s3.amazonaws.com/template.yaml",
    Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
    Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
)
stack = cf.describe_stacks(StackName="archive")["Stacks"][0]
assert stack["StackStatus"] == "CREATE_COMPLETE", stack["StackStatus"]
out = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}

buckets = {b["Name"] for b in s3.list_buckets()["Buckets"]}
assert {out["AuditorBucket"], out["DerivedBucket"]} <= buckets, buckets
assert s3.get_bucket_policy(Bucket=out["AuditorBucket"])["Policy"]
keys = client("dynamodb").describe_table(TableName=out["Table"])["Table"]["KeySchema"]
assert [k["AttributeName"] for k in keys] == ["p", "s"], keys
functions = {f["FunctionName"]: f for f in client("lambda").list_functions()["Functions"]}
assert set(functions) == {"archive-" + n for n in ("puller", "archiver", "compactor", "admin")}, functions
environment = functions["archive-puller"]["Environment"]["Variables"]
assert environment["WECOM_ARCHIVE_BUCKET"] == out["AuditorBucket"], environment
assert environment["WECOM_ARCHIVE_QUEUE_URL"] == out["QueueUrl"], (environment, out)
alarms = client("cloudwatch").describe_alarms(MaxRecords=100)["MetricAlarms"]
assert {"archive-Behind26h", "archive-Behind96h", "archive-DeadPage"} <= {a["AlarmName"] for a in alarms}
for name, rule in (("puller", "puller"), ("auditor", "auditor")):
    role = client("iam").get_role(RoleName="archive-us-east-1-" + name)["Role"]
    assert role["RoleName"].endswith(rule), role
print(f"moto: {len(templates)} templates, {len(functions)} functions, {len(alarms)} alarms, {len(out)} outputs")
