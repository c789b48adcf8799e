"""Creates the stack's templates on moto, and looks at what came of them.

    python3 smoke.py ENDPOINT expanded.json

A smoke test: moto makes no API Gateway v2, bucket policy, alarm or firewall, drops lock,
versioning and recovery of what it makes, and knows no outputs of nested stacks, so
each template is a stack of its own here. It shows that references between the
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
s3.create_bucket(Bucket="packaged")
s3.put_object(Bucket="packaged", Key="code", Body=b"PK")
cf = client("cloudformation")


def create(name, template, values):
    """Creates a template as a stack of its own and answers its outputs."""
    s3.create_bucket(Bucket="templates-" + name)
    s3.put_object(Bucket="templates-" + name, Key="t", Body=json.dumps(template))
    declared = template.get("Parameters", {})
    cf.create_stack(
        StackName=name,
        TemplateURL=f"https://templates-{name}.s3.amazonaws.com/t",
        Parameters=[{"ParameterKey": k, "ParameterValue": str(values[k])} for k, p in declared.items() if k in values],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    stack = cf.describe_stacks(StackName=name)["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE", (name, stack["StackStatus"])
    return {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])}


def literal(value):
    """moto has no outputs of nested stacks: a word stands for each."""
    if isinstance(value, list):
        return [literal(v) for v in value]
    if not isinstance(value, dict):
        return value
    attribute = value.get("Fn::GetAtt")
    if attribute and str(attribute[1]).startswith("Outputs."):
        return f"{attribute[0]}-{attribute[1][8:]}"
    return {k: literal(v) for k, v in value.items()}


# The root first, without its nested stacks; then each of them, with what the root
# made and the ones before.
root = literal(templates["template.yaml"])
nested = {k: r for k, r in root["Resources"].items() if r["Type"] == "AWS::CloudFormation::Stack"}
for k in nested:
    del root["Resources"][k]
del root["Resources"]["Api"], root["Outputs"]["ApiUrl"], root["Outputs"]["CallbackUrl"]  # moto makes none
parameters = {"Corp": "ww5117a9e0c0ffee01", "Retention": "1-day", "LockMode": "GOVERNANCE", "AlarmEmail": "ops@example.com"}
out = create("archive", root, parameters)
values = {k: p["Default"] for k, p in root["Parameters"].items() if "Default" in p} | parameters | out
values |= {"Stack": "archive", "ArchiveBucket": out["AuditorBucket"], "Address": out["AddressAllocation"], "Cidr": values["VpcCidr"],
           "LogBucket": "logs", "Keys": ",".join(out[k] for k in ("CaptureKey", "ContentKey", "KeyringKey", "OpsKey", "SessionKey"))}
network = create("network", templates["infra/stack/network.yaml"], values)
roles = create("roles", templates["infra/policies/roles.yaml"], values)
values |= network | {name + "Role": arn for name, arn in roles.items()} | {"Issuer": "https://login.example.com", "Audience": "archive", "ClientId": "archive", "Api": "api", "PagesUrl": "https://pages.example.com"}
create("questions", templates["infra/stack/athena.yaml"], values)
functions = templates["infra/stack/functions.yaml"]
for k in [k for k, r in functions["Resources"].items() if r["Type"].startswith("AWS::ApiGatewayV2::")] + ["ApiPermission", "SigninPermission", "CallbackPermission"]:
    del functions["Resources"][k]
made = create("functions", functions, values)
values |= {"PageQueue": made["PageQueueName"], "DeadPages": made["DeadPagesName"], "MediaQueue": made["MediaQueueName"], "DeadMedia": made["DeadMediaName"], "DeadRuns": made["DeadRunsName"]}
create("watch", templates["infra/stack/watch.yaml"], values)

buckets = {b["Name"] for b in s3.list_buckets()["Buckets"]}
assert {out["AuditorBucket"], out["DerivedBucket"]} <= buckets, buckets
keys = client("dynamodb").describe_table(TableName=out["Table"])["Table"]["KeySchema"]
assert [k["AttributeName"] for k in keys] == ["p", "s"], keys
functions = {f["FunctionName"]: f for f in client("lambda").list_functions()["Functions"]}
assert set(functions) == {"archive-" + n for n in ("puller", "archiver", "media", "directory", "callback", "compactor", "reindexer", "admin", "signin")}, functions
environment = functions["archive-puller"]["Environment"]["Variables"]
assert environment["WECOM_ARCHIVE_BUCKET"] == out["AuditorBucket"], environment
assert environment["WECOM_ARCHIVE_QUEUE_URL"] == made["PageQueueUrl"], (environment, made)
topics = [topic["TopicArn"] for topic in client("sns").list_topics()["Topics"]]
assert [arn for arn in topics if arn.endswith(":archive-alarms")], topics
for name in ("puller", "archiver", "media", "directory", "callback", "compactor", "reindexer", "admin", "signin", "operator", "auditor", "athena"):
    policy = client("iam").get_role_policy(RoleName="archive-us-east-1-" + name, PolicyName="rights")["PolicyDocument"]
    assert policy["Statement"], name
print(f"moto: {len(templates)} templates, {len(functions)} functions, {len(out)} outputs")
