package template

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Expanded is what translate.py answers.
type Expanded struct {
	Templates  map[string]map[string]any `json:"templates"`  // by path
	CreateOnly map[string][]string       `json:"createOnly"` // by type of resource: /properties/…
	Required   map[string][]string       `json:"required"`   // by type of resource
}

// Load reads what translate.py wrote.
func Load(path string) (*Expanded, error) {
	doc, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var e Expanded
	if err := json.Unmarshal(doc, &e); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return &e, nil
}

// Copy is a copy to change.
func (e *Expanded) Copy() *Expanded {
	doc, err := json.Marshal(e.Templates)
	if err != nil {
		panic(err) // it came from JSON
	}
	c := &Expanded{CreateOnly: e.CreateOnly, Required: e.Required}
	if err := json.Unmarshal(doc, &c.Templates); err != nil {
		panic(err)
	}
	return c
}

// Place is where the stack is created.
type Place struct{ Partition, Region, URLSuffix, Account, Stack string }

// Places to prove things for.
var (
	Singapore = Place{"aws", "ap-southeast-1", "amazonaws.com", "123456789012", "archive"}
	Beijing   = Place{"aws-cn", "cn-north-1", "amazonaws.com.cn", "123456789012", "archive"}
)

// Resource is a resource as CloudFormation would create it.
type Resource struct {
	Path       string // Network/Vpc: of the nested stack, and in it
	Type       string
	Properties map[string]any // resolved
	Retained   bool           // DeletionPolicy and UpdateReplacePolicy are Retain
}

// Model is a stack with its nested stacks, resolved.
type Model struct {
	Place     Place
	Resources map[string]*Resource // by path
	Outputs   map[string]any
}

// stack is one template while it is resolved.
type stack struct {
	place      Place
	all        *Expanded
	template   map[string]any
	prefix     string
	parameters map[string]any
	nested     map[string]*stack
	busy       map[string]bool // conditions and nested stacks being resolved
	model      *Model
}

// Resolve resolves the stack for a place and parameters. Parameters without a
// value take their default; one that has none is an error, as is a value that the
// template does not allow.
func (e *Expanded) Resolve(place Place, parameters map[string]string) (*Model, error) {
	m := &Model{Place: place, Resources: map[string]*Resource{}}
	given := map[string]any{}
	for k, v := range parameters {
		given[k] = v
	}
	s, err := newStack(e, m, place, "template.yaml", "", given)
	if err != nil {
		return nil, err
	}
	m.Outputs, err = s.outputs()
	return m, err
}

var noValue = &struct{ int }{} // AWS::NoValue

func newStack(e *Expanded, m *Model, place Place, path, prefix string, given map[string]any) (*stack, error) {
	template, ok := e.Templates[path]
	if !ok {
		return nil, fmt.Errorf("there is no template %s", path)
	}
	s := &stack{place: place, all: e, template: template, prefix: prefix, parameters: map[string]any{},
		nested: map[string]*stack{}, busy: map[string]bool{}, model: m}
	declared := object(template["Parameters"])
	for name := range given {
		if _, ok := declared[name]; !ok {
			return nil, fmt.Errorf("%s has no parameter %s", path, name)
		}
	}
	for name, d := range declared {
		value, ok := given[name]
		if !ok {
			if value, ok = object(d)["Default"]; !ok {
				return nil, fmt.Errorf("%s: parameter %s has no value", path, name)
			}
		}
		if err := allowed(object(d), value); err != nil {
			return nil, fmt.Errorf("%s: parameter %s: %w", path, name, err)
		}
		if text, ok := value.(string); ok && object(d)["Type"] == "CommaDelimitedList" {
			value = split(",", text)
		}
		s.parameters[name] = value
	}
	return s, s.resources()
}

func allowed(d map[string]any, value any) error {
	text := fmt.Sprint(value)
	if values, ok := d["AllowedValues"].([]any); ok && !slices.ContainsFunc(values, func(v any) bool { return fmt.Sprint(v) == text }) {
		return fmt.Errorf("%q is not allowed", text)
	}
	if pattern, ok := d["AllowedPattern"].(string); ok {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return err
		}
		if !re.MatchString(text) {
			return fmt.Errorf("%q does not match %s", text, pattern)
		}
	}
	return nil
}

func (s *stack) resources() error {
	for _, id := range slices.Sorted(maps.Keys(object(s.template["Resources"]))) {
		if _, err := s.resource(id); err != nil {
			return fmt.Errorf("%s%s: %w", s.prefix, id, err)
		}
	}
	return nil
}

// resource resolves a resource; nil if its condition is false.
func (s *stack) resource(id string) (*Resource, error) {
	path := s.prefix + id
	if r, ok := s.model.Resources[path]; ok {
		return r, nil
	}
	doc, ok := object(s.template["Resources"])[id].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("there is no resource %s", id)
	}
	if c, ok := doc["Condition"].(string); ok {
		if yes, err := s.condition(c); err != nil || !yes {
			return nil, err
		}
	}
	if s.busy[id] {
		return nil, fmt.Errorf("circular dependency through %s", path)
	}
	s.busy[id] = true
	defer delete(s.busy, id)
	properties, err := s.value(doc["Properties"])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r := &Resource{Path: path, Type: fmt.Sprint(doc["Type"]), Properties: object(properties),
		Retained: doc["DeletionPolicy"] == "Retain" && doc["UpdateReplacePolicy"] == "Retain"}
	s.model.Resources[path] = r
	for _, name := range s.all.Required[r.Type] {
		if r.Properties[name] == nil {
			return nil, fmt.Errorf("%s has no %s", path, name)
		}
	}
	if r.Type != "AWS::CloudFormation::Stack" {
		return r, nil
	}
	given := object(r.Properties["Parameters"])
	for k, v := range given {
		given[k] = fmt.Sprint(v)
		if number, ok := v.(float64); ok {
			given[k] = strconv.FormatFloat(number, 'f', -1, 64) // as it was written
		}
	}
	s.nested[id], err = newStack(s.all, s.model, s.place, fmt.Sprint(r.Properties["TemplateURL"]), path+"/", given)
	return r, err
}

func (s *stack) outputs() (map[string]any, error) {
	out := map[string]any{}
	for name, o := range object(s.template["Outputs"]) {
		if c, ok := object(o)["Condition"].(string); ok {
			if yes, err := s.condition(c); err != nil {
				return nil, err
			} else if !yes {
				continue
			}
		}
		v, err := s.value(object(o)["Value"])
		if err != nil {
			return nil, fmt.Errorf("output %s%s: %w", s.prefix, name, err)
		}
		out[name] = v
	}
	return out, nil
}

func (s *stack) condition(name string) (bool, error) {
	c, ok := object(s.template["Conditions"])[name]
	if !ok {
		return false, fmt.Errorf("there is no condition %s", name)
	}
	v, err := s.value(c)
	if err != nil {
		return false, err
	}
	yes, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("condition %s is %v", name, v)
	}
	return yes, nil
}

// value resolves intrinsic functions in a value.
func (s *stack) value(v any) (any, error) {
	switch v := v.(type) {
	case []any:
		list := []any{}
		for _, e := range v {
			r, err := s.value(e)
			if err != nil {
				return nil, err
			}
			if r != noValue {
				list = append(list, r)
			}
		}
		return list, nil
	case map[string]any:
		if len(v) == 1 {
			for name, argument := range v {
				if name == "Ref" || strings.HasPrefix(name, "Fn::") || (name == "Condition" && isText(argument)) {
					return s.call(name, argument)
				}
			}
		}
		m := map[string]any{}
		for k, e := range v {
			r, err := s.value(e)
			if err != nil {
				return nil, err
			}
			if r != noValue {
				m[k] = r
			}
		}
		return m, nil
	}
	return v, nil
}

func isText(v any) bool { _, ok := v.(string); return ok }

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func split(by, text string) (list []any) {
	for _, part := range strings.Split(text, by) {
		list = append(list, part)
	}
	return list
}

var errArguments = errors.New("wrong arguments")
