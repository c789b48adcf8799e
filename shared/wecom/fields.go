package wecom

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Fields is tolerant access to a JSON object. The zero value is an object without
// members. Every getter gives an empty value for what is missing, null or of a
// kind that cannot be read as asked.
//
// Names match exactly or, where no member is called so, in any case (Userid for
// userid).
type Fields struct{ members map[string]any }

// Keys returns the names of the members, sorted.
func (f Fields) Keys() []string { return slices.Sorted(maps.Keys(f.members)) }

// value returns the member; a null one counts as missing.
func (f Fields) value(name string) any {
	if v := f.members[name]; v != nil {
		return v
	}
	var found string
	for key, v := range f.members {
		// Of several spellings the first in byte order, so that the answer is always
		// the same.
		if len(key) == len(name) && v != nil && strings.EqualFold(key, name) && (found == "" || key < found) {
			found = key
		}
	}
	if found == "" { // a member may be called so
		return nil
	}
	return f.members[found]
}

// String returns a string as it is, a number as it is written, a boolean as true
// or false.
func (f Fields) String(name string) string { return scalarString(f.value(name)) }

// Int returns a whole number within int64, also one written as a string, with a
// fraction of zero or with an exponent.
func (f Fields) Int(name string) (int64, bool) { return wholeInt(f.String(name)) }

// Uint is Int for uint64: WeCom's meeting ids and sizes are such.
func (f Fields) Uint(name string) (uint64, bool) {
	negative, magnitude, ok := wholeNumber(f.String(name))
	if !ok || negative && magnitude > 0 {
		return 0, false
	}
	return magnitude, true
}

// Float returns a finite number, also one written as a string.
func (f Fields) Float(name string) (float64, bool) {
	s := strings.TrimSpace(f.String(name))
	if strings.Trim(s, "+-.0123456789eE") != "" { // NaN, Inf, 0x1p4, 1_000
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil { // also beyond float64, where v is infinite
		return 0, false
	}
	return v, true
}

// Bool returns a boolean, also one written as a string or as 0 and 1.
func (f Fields) Bool(name string) (value, ok bool) {
	v, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(f.String(name))))
	return v, err == nil
}

// Object returns an object, also one that is written as JSON inside a string, as
// the content of chatrecord and mixed items is.
func (f Fields) Object(name string) Fields {
	members, _ := asObject(f.value(name))
	return Fields{members}
}

// List returns the objects of a list, or one object that stands in place of a
// list. Positions are kept: an element that is no object gives empty Fields.
func (f Fields) List(name string) []Fields {
	elements := asList(f.value(name))
	if elements == nil {
		return nil
	}
	list := make([]Fields, len(elements))
	for i, e := range elements {
		list[i].members, _ = asObject(e)
	}
	return list
}

// Strings returns the strings and numbers of a list, or one that stands in place
// of a list. Empty elements are left out.
func (f Fields) Strings(name string) []string {
	var list []string
	for _, e := range asList(f.value(name)) {
		if s := scalarString(e); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// MarshalJSON gives the members back as JSON, numbers as they were written. It
// holds everything that the message holds, sdkfileids too.
func (f Fields) MarshalJSON() ([]byte, error) {
	if f.members == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(f.members)
}

// has says whether there is a member of this name, whatever its case, even a null one.
func (f Fields) has(name string) bool {
	for key := range f.members {
		if len(key) == len(name) && strings.EqualFold(key, name) {
			return true
		}
	}
	return false
}

// Without returns f less the members with these lower-case names, whatever their case.
func (f Fields) Without(names ...string) Fields {
	rest := maps.Clone(f.members)
	maps.DeleteFunc(rest, func(key string, _ any) bool {
		return slices.Contains(names, strings.ToLower(key))
	})
	return Fields{rest}
}

func asObject(v any) (map[string]any, bool) {
	if s, ok := v.(string); ok {
		v, _ = decodeContainer(s)
	}
	members, ok := v.(map[string]any)
	return members, ok
}

// asList returns the elements of a list, also of one written as JSON inside a
// string; anything else but null stands for a list of one.
func asList(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	case string:
		if strings.HasPrefix(v, "[") {
			if list, ok := decodeContainer(v); ok {
				return list.([]any)
			}
		}
		return []any{v}
	default:
		return []any{v}
	}
}
