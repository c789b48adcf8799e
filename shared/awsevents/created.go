package awsevents

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Object is an object that appeared.
type Object struct {
	Bucket string
	Key    string
}

// ErrNoObject: a message does not name an object that appeared.
var ErrNoObject = errors.New("names no object that appeared")

// created is the union of the messages that S3 sends. Their names do not
// overlap.
type created struct {
	// S3 event notification, straight to SQS.
	Records []struct {
		EventSource string `json:"eventSource"`
		EventName   string `json:"eventName"`
		S3          struct {
			Bucket bucket `json:"bucket"`
			Object object `json:"object"`
		} `json:"s3"`
	} `json:"Records"`

	// What S3 sends when notifications are set up.
	Service string `json:"Service"`
	Event   string `json:"Event"`

	// By way of EventBridge.
	Source     string `json:"source"`
	DetailType string `json:"detail-type"`
	Detail     struct {
		Bucket bucket `json:"bucket"`
		Object object `json:"object"`
	} `json:"detail"`
}

type bucket struct {
	Name string `json:"name"`
}

type object struct {
	Key string `json:"key"`
}

// Created reads the body of one SQS message: an S3 event notification, or S3's
// event from EventBridge. S3's test message names no object and is no error.
// Everything else is ErrNoObject, wrapped.
func Created(body string) ([]Object, error) {
	var c created
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		return nil, fmt.Errorf("the message is no JSON object: %w", ErrNoObject) // the cause could quote it
	}
	switch {
	case c.Records != nil:
		return c.notified()
	case c.Source == "aws.s3" && c.DetailType == "Object Created":
		o, err := newObject(c.Detail.Bucket.Name, c.Detail.Object.Key) // not URL-encoded here
		return []Object{o}, err
	case c.Service == "Amazon S3" && c.Event == "s3:TestEvent":
		return nil, nil
	}
	return nil, fmt.Errorf("the message is not one that S3 sends about new objects: %w", ErrNoObject)
}

func (c created) notified() ([]Object, error) {
	if len(c.Records) == 0 {
		return nil, fmt.Errorf("the notification is empty: %w", ErrNoObject)
	}
	var objects []Object
	for _, r := range c.Records {
		if r.EventSource != "aws:s3" || !strings.HasPrefix(r.EventName, "ObjectCreated:") {
			return nil, fmt.Errorf("the notification is about %.40q of %.40q: %w", r.EventName, r.EventSource, ErrNoObject)
		}
		key, err := url.QueryUnescape(r.S3.Object.Key)
		if err != nil {
			return nil, fmt.Errorf("the key is not URL-encoded: %w", ErrNoObject)
		}
		o, err := newObject(r.S3.Bucket.Name, key)
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

func newObject(bucket, key string) (Object, error) {
	if bucket == "" || key == "" || !utf8.ValidString(key) {
		return Object{}, fmt.Errorf("bucket or key is missing or no text: %w", ErrNoObject)
	}
	return Object{bucket, key}, nil
}

// Message is the body of an S3 event notification about o: what a stage sends
// that queues an object again, since events can get lost.
func Message(o Object) (string, error) {
	type named struct {
		Name string `json:"name"`
	}
	type keyed struct {
		Key string `json:"key"`
	}
	type record struct {
		EventSource string `json:"eventSource"`
		EventName   string `json:"eventName"`
		S3          struct {
			Bucket named `json:"bucket"`
			Object keyed `json:"object"`
		} `json:"s3"`
	}
	if _, err := newObject(o.Bucket, o.Key); err != nil {
		return "", err
	}
	r := record{EventSource: "aws:s3", EventName: "ObjectCreated:Put"}
	r.S3.Bucket.Name, r.S3.Object.Key = o.Bucket, url.QueryEscape(o.Key)
	body, err := json.Marshal(map[string][]record{"Records": {r}})
	return string(body), err
}
