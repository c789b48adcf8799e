package awsevents_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"wecom-archive/shared/awsevents"
)

const page = "pages/00000000000000000000.json.zst"

func notification(event, bucket, key string) string {
	return `{"eventSource":"aws:s3","eventName":"` + event + `","s3":{"bucket":{"name":"` + bucket + `"},"object":{"key":"` + key + `"}}}`
}

func records(parts ...string) string { return `{"Records":[` + strings.Join(parts, ",") + `]}` }

func TestCreated(t *testing.T) {
	put := func(key string) string { return notification("ObjectCreated:Put", "b", key) }
	bridge := func(kind, key string) string {
		return `{"version":"0","source":"aws.s3","detail-type":"` + kind + `","detail":{"bucket":{"name":"b"},"object":{"key":"` + key + `"}}}`
	}
	for _, test := range []struct {
		name string
		body string
		want []string // keys in bucket b; nil with bad: ErrNoObject
		bad  bool
	}{
		{"put", records(put(page)), []string{page}, false},
		{"other ways to put", records(notification("ObjectCreated:CompleteMultipartUpload", "b", "media/1")), []string{"media/1"}, false},
		{"two records", records(put("a"), put("b")), []string{"a", "b"}, false},
		{"URL-encoded", records(put("a%2Fb+c%2B%E6%8A%A5")), []string{"a/b c+报"}, false},
		{"EventBridge", bridge("Object Created", page), []string{page}, false},
		{"EventBridge does not encode", bridge("Object Created", "a b+c%2B"), []string{"a b+c%2B"}, false},
		{"test event", `{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}`, nil, false},
		{"unknown members", `{"new":1,"Records":[` + put("a") + `]}`, []string{"a"}, false},

		{"nothing", "", nil, true},
		{"no JSON", "pages/1", nil, true},
		{"no object", `"pages/1"`, nil, true},
		{"null", "null", nil, true},
		{"empty object", "{}", nil, true},
		{"no records", records(), nil, true},
		{"records are no list", `{"Records":{}}`, nil, true},
		{"removed", records(notification("ObjectRemoved:DeleteMarkerCreated", "b", "a")), nil, true},
		{"one of two removed", records(put("a"), notification("ObjectRemoved:Delete", "b", "a")), nil, true},
		{"not S3's", `{"Records":[{"eventSource":"aws:sns","eventName":"ObjectCreated:Put"}]}`, nil, true},
		{"no bucket", records(notification("ObjectCreated:Put", "", "a")), nil, true},
		{"no key", records(put("")), nil, true},
		{"broken escape", records(put("a%2")), nil, true},
		{"escaped bytes that are no text", records(put("%ff")), nil, true},
		{"other EventBridge event", bridge("Object Deleted", page), nil, true},
		{"EventBridge without key", bridge("Object Created", ""), nil, true},
		{"other test event", `{"Service":"Amazon SNS","Event":"s3:TestEvent"}`, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects, err := awsevents.Created(test.body)
			if bad := errors.Is(err, awsevents.ErrNoObject); bad != test.bad || !bad && err != nil {
				t.Fatalf("Created = %v, %v", objects, err)
			}
			if test.bad {
				return
			}
			var keys []string
			for _, o := range objects {
				if o.Bucket != "b" {
					t.Errorf("bucket %q", o.Bucket)
				}
				keys = append(keys, o.Key)
			}
			if !slices.Equal(keys, test.want) {
				t.Errorf("keys %q, want %q", keys, test.want)
			}
		})
	}
}

func TestMessageRefuses(t *testing.T) {
	for _, o := range []awsevents.Object{{}, {Bucket: "b"}, {Key: "k"}, {Bucket: "b", Key: "\xff"}} {
		if body, err := awsevents.Message(o); err == nil || body != "" {
			t.Errorf("Message(%+q) = %q", o, body)
		}
	}
}

// FuzzCreated: whatever the body is, what comes out can be worked with.
func FuzzCreated(f *testing.F) {
	f.Add(records(notification("ObjectCreated:Put", "b", page)))
	f.Add(`{"source":"aws.s3","detail-type":"Object Created","detail":{"bucket":{"name":"b"},"object":{"key":"k"}}}`)
	f.Add(`{"Service":"Amazon S3","Event":"s3:TestEvent"}`)
	f.Add(`{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:","s3":{"object":{"key":"%"}}}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		objects, err := awsevents.Created(body)
		if err != nil {
			if !errors.Is(err, awsevents.ErrNoObject) {
				t.Fatalf("%v is not ErrNoObject", err)
			}
			return
		}
		for _, o := range objects {
			if o.Bucket == "" || o.Key == "" || !utf8.ValidString(o.Key) {
				t.Fatalf("object %+q", o)
			}
		}
	})
}

// FuzzMessage: what is queued again names the same object.
func FuzzMessage(f *testing.F) {
	f.Add("bucket", page)
	f.Add("b", "a b+c%2B/报价.pdf")
	f.Add("b", "\"}\n<&>\u2028")
	f.Fuzz(func(t *testing.T, bucket, key string) {
		o := awsevents.Object{Bucket: bucket, Key: key}
		body, err := awsevents.Message(o)
		if err != nil || !utf8.ValidString(bucket) {
			return
		}
		objects, err := awsevents.Created(body)
		if err != nil || len(objects) != 1 || objects[0] != o {
			t.Fatalf("%+q came back as %+q, %v", o, objects, err)
		}
	})
}
