"""Expands the stack's templates as CloudFormation would see them, and says which
properties of their resource types replace a resource when they change.

    python3 translate.py ROOT > expanded.json

The answer: {"templates": {path: template}, "createOnly": {type: [property path]},
"required": {type: [property]}}.
Nothing is asked of AWS: the transform is aws-sam-translator's, the properties are
those of the resource schemas that cfn-lint carries.
"""

import json
import pathlib
import sys

from cfnlint.decode.cfn_yaml import load
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator


def translate(path: pathlib.Path) -> dict:
    template = json.loads(json.dumps(load(str(path))))
    if "Transform" not in template:
        return template
    # `sam package` puts the code into a bucket and its address here.
    template.setdefault("Globals", {}).setdefault("Function", {})
    if "CodeUri" in template["Globals"]["Function"]:
        template["Globals"]["Function"]["CodeUri"] = "s3://packaged/code"
    parameters = {name: p.get("Default", "example") for name, p in template.get("Parameters", {}).items()}
    return Translator({}, Parser()).translate(template, parameters)


def main() -> None:
    root = pathlib.Path(sys.argv[1])
    paths, templates = ["template.yaml"], {}
    while paths:
        path = paths.pop()
        templates[path] = translate(root / path)
        for resource in templates[path]["Resources"].values():
            if resource["Type"] == "AWS::CloudFormation::Stack":
                paths.append(resource["Properties"]["TemplateURL"])
    types = {r["Type"] for t in templates.values() for r in t["Resources"].values()}
    schemas = {t: PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", t).schema for t in sorted(types)}
    create_only = {t: s.get("createOnlyProperties", []) for t, s in schemas.items()}
    required = {t: s.get("required", []) for t, s in schemas.items()}
    json.dump({"templates": templates, "createOnly": create_only, "required": required}, sys.stdout, ensure_ascii=False, indent=1)


main()
