package callback

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrXML means that a document is not XML of the kind that WeCom sends.
var ErrXML = errors.New("not the XML of a callback")

const (
	maxDepth  = 16
	maxFields = 256
)

// parse reads the elements directly below the root, by name; the first of a name
// counts. What is nested deeper is passed over. DTDs, and with them entities, and
// processing instructions are refused.
func parse(doc []byte) (map[string]string, error) {
	fields := map[string]string{}
	var name string
	var value strings.Builder
	depth, seen, done := 0, 0, false
	for dec := xml.NewDecoder(bytes.NewReader(doc)); ; {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: its syntax is wrong", ErrXML) // the decoder's error quotes content
		}
		switch t := token.(type) {
		case xml.Directive:
			return nil, fmt.Errorf("%w: it has a DTD", ErrXML)
		case xml.ProcInst:
			if t.Target != "xml" || depth > 0 || done {
				return nil, fmt.Errorf("%w: it has a processing instruction", ErrXML)
			}
		case xml.StartElement:
			depth++
			if seen++; done || depth > maxDepth || seen > maxFields {
				return nil, fmt.Errorf("%w: too many elements, or too deep", ErrXML)
			}
			if depth == 1 && t.Name.Local != "xml" {
				return nil, fmt.Errorf("%w: its root is no <xml>", ErrXML)
			}
			if depth == 2 {
				name = t.Name.Local
				value.Reset()
			}
		case xml.EndElement:
			if _, again := fields[name]; depth == 2 && !again {
				fields[name] = value.String()
			}
			depth--
			done = depth == 0
		case xml.CharData:
			if depth == 2 {
				value.Write(t)
			}
		}
	}
	if !done {
		return nil, fmt.Errorf("%w: it breaks off", ErrXML)
	}
	return fields, nil
}
