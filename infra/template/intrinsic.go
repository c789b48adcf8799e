package template

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// call evaluates an intrinsic function.
func (s *stack) call(name string, argument any) (any, error) {
	switch name {
	case "Ref":
		return s.ref(fmt.Sprint(argument))
	case "Condition":
		return s.condition(fmt.Sprint(argument))
	case "Fn::Sub":
		return s.sub(argument)
	case "Fn::GetAtt":
		if text, ok := argument.(string); ok {
			id, attribute, _ := strings.Cut(text, ".")
			return s.attribute(id, attribute)
		}
		if list, ok := argument.([]any); ok && len(list) == 2 {
			return s.attribute(fmt.Sprint(list[0]), fmt.Sprint(list[1]))
		}
	case "Fn::If": // only the branch that counts
		if list, ok := argument.([]any); ok && len(list) == 3 {
			yes, err := s.condition(fmt.Sprint(list[0]))
			if err != nil {
				return nil, err
			}
			if yes {
				return s.value(list[1])
			}
			return s.value(list[2])
		}
	case "Fn::GetAZs":
		return []any{s.place.Region + "a", s.place.Region + "b"}, nil
	}
	resolved, err := s.value(argument)
	if err != nil {
		return nil, err
	}
	list, ok := resolved.([]any)
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, errArguments)
	}
	v, err := pure(name, list)
	if err != nil {
		return nil, fmt.Errorf("%s %v: %w", name, list, err)
	}
	if name == "Fn::FindInMap" {
		v, ok := object(object(object(s.template["Mappings"])[fmt.Sprint(list[0])])[fmt.Sprint(list[1])])[fmt.Sprint(list[2])]
		if !ok {
			return nil, fmt.Errorf("Fn::FindInMap %v: not in the mapping", list)
		}
		return v, nil
	}
	return v, nil
}

// pure evaluates the functions that need nothing but their arguments.
func pure(name string, list []any) (any, error) {
	switch {
	case name == "Fn::FindInMap" && len(list) == 3:
		return nil, nil
	case name == "Fn::Equals" && len(list) == 2:
		return fmt.Sprint(list[0]) == fmt.Sprint(list[1]), nil
	case name == "Fn::Not" && len(list) == 1:
		return list[0] == false, nil
	case name == "Fn::And", name == "Fn::Or":
		for _, v := range list {
			if (v == true) == (name == "Fn::Or") {
				return name == "Fn::Or", nil
			}
		}
		return name == "Fn::And", nil
	case name == "Fn::Join" && len(list) == 2:
		parts, ok := list[1].([]any)
		if !ok {
			return nil, errArguments
		}
		var texts []string
		for _, p := range parts {
			texts = append(texts, fmt.Sprint(p))
		}
		return strings.Join(texts, fmt.Sprint(list[0])), nil
	case name == "Fn::Split" && len(list) == 2:
		return split(fmt.Sprint(list[0]), fmt.Sprint(list[1])), nil
	case name == "Fn::Select" && len(list) == 2:
		i, err := strconv.Atoi(fmt.Sprint(list[0]))
		from, ok := list[1].([]any)
		if err != nil || !ok || i >= len(from) {
			return nil, errArguments
		}
		return from[i], nil
	case name == "Fn::Cidr" && len(list) >= 2:
		n, err := strconv.Atoi(fmt.Sprint(list[1]))
		var nets []any
		for i := range n {
			nets = append(nets, fmt.Sprintf("%v#%d", list[0], i))
		}
		return nets, err
	}
	return nil, errArguments
}

func (s *stack) ref(name string) (any, error) {
	if v, ok := s.parameters[name]; ok {
		return v, nil
	}
	switch name {
	case "AWS::Partition":
		return s.place.Partition, nil
	case "AWS::Region":
		return s.place.Region, nil
	case "AWS::URLSuffix":
		return s.place.URLSuffix, nil
	case "AWS::AccountId":
		return s.place.Account, nil
	case "AWS::StackName":
		return s.place.Stack + strings.TrimSuffix("-"+strings.ReplaceAll(s.prefix, "/", "-"), "-"), nil
	case "AWS::NoValue":
		return noValue, nil
	}
	r, err := s.resource(name)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, fmt.Errorf("refers to %s%s, which is not created", s.prefix, name)
	}
	return s.place.ref(r), nil
}

func (s *stack) attribute(id, name string) (any, error) {
	r, err := s.resource(id)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, fmt.Errorf("refers to %s%s.%s, which is not created", s.prefix, id, name)
	}
	output, ok := strings.CutPrefix(name, "Outputs.")
	if !ok {
		return s.place.attribute(r, name), nil
	}
	nested := s.nested[id]
	if nested == nil {
		return nil, fmt.Errorf("%s%s is no nested stack", s.prefix, id)
	}
	outputs, err := nested.outputs()
	if err != nil {
		return nil, err
	}
	v, ok := outputs[output]
	if !ok {
		return nil, fmt.Errorf("%s%s has no output %s", s.prefix, id, output)
	}
	return v, nil
}

var inSub = regexp.MustCompile(`\$\{([^!][^}]*)\}`)

func (s *stack) sub(argument any) (any, error) {
	text, ok := argument.(string)
	extra := map[string]any{}
	if list, isList := argument.([]any); isList && len(list) == 2 {
		text, ok = list[0].(string)
		v, err := s.value(list[1])
		if err != nil {
			return nil, err
		}
		extra = object(v)
	}
	if !ok {
		return nil, fmt.Errorf("Fn::Sub: %w", errArguments)
	}
	var failed error
	out := inSub.ReplaceAllStringFunc(text, func(match string) string {
		name := match[2 : len(match)-1]
		v, ok := extra[name]
		if !ok {
			var err error
			if id, attribute, dotted := strings.Cut(name, "."); dotted {
				v, err = s.attribute(id, attribute)
			} else {
				v, err = s.ref(name)
			}
			if err != nil {
				failed = fmt.Errorf("Fn::Sub %q: %w", text, err)
			}
		}
		return fmt.Sprint(v)
	})
	return strings.ReplaceAll(out, "${!", "${"), failed
}

// physical is a name as CloudFormation could give it: readable, and unlike that of
// any other resource.
func (p Place) physical(r *Resource) string {
	for _, property := range []string{"BucketName", "TableName", "QueueName", "RoleName", "FunctionName", "LogGroupName", "TrailName", "TopicName", "DashboardName"} {
		if name, ok := r.Properties[property].(string); ok {
			return name
		}
	}
	return strings.ToLower(p.Stack + "-" + strings.ReplaceAll(r.Path, "/", "-"))
}

func (p Place) ref(r *Resource) string {
	switch r.Type {
	case "AWS::SQS::Queue":
		return fmt.Sprintf("https://sqs.%s.%s/%s/%s", p.Region, p.URLSuffix, p.Account, p.physical(r))
	case "AWS::SNS::Topic":
		return p.attribute(r, "Arn")
	}
	return p.physical(r)
}

func (p Place) attribute(r *Resource, name string) string {
	if name != "Arn" {
		if name == "QueueName" {
			return p.physical(r)
		}
		return p.physical(r) + "." + name
	}
	id := p.physical(r)
	arn := func(service, rest string) string {
		return fmt.Sprintf("arn:%s:%s:%s:%s:%s", p.Partition, service, p.Region, p.Account, rest)
	}
	switch r.Type {
	case "AWS::S3::Bucket":
		return fmt.Sprintf("arn:%s:s3:::%s", p.Partition, id)
	case "AWS::IAM::Role":
		return fmt.Sprintf("arn:%s:iam::%s:role/%s", p.Partition, p.Account, id)
	case "AWS::KMS::Key":
		return arn("kms", "key/"+id)
	case "AWS::SQS::Queue":
		return arn("sqs", id)
	case "AWS::SNS::Topic":
		return arn("sns", id)
	case "AWS::DynamoDB::Table":
		return arn("dynamodb", "table/"+id)
	case "AWS::Lambda::Function":
		return arn("lambda", "function:"+id)
	case "AWS::Logs::LogGroup":
		return arn("logs", "log-group:"+id+":*")
	}
	return arn(strings.ToLower(strings.Split(r.Type, "::")[1]), id)
}
