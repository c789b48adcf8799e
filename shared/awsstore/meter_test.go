package awsstore_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// TestRequestCounts: what storetest.RequestCounter counts over a bucket in
// memory is what the adapters send for the same calls.
func TestRequestCounts(t *testing.T) {
	var meter awsstore.Meter
	client := s3.New(server.Client().Options(), func(o *s3.Options) { o.APIOptions = append(o.APIOptions, meter.Attach) })
	counter := storetest.NewRequestCounter()
	memory := storetest.NewObjects()
	t.Cleanup(memory.Close)
	name := bucketName(t, 30)
	s3Objects, memObjects := awsstore.NewObjects(client, server.Presigner(), name), counter.Objects(memory)
	s3Derived, memDerived := awsstore.NewDerived(client, bucketName(t, 0)), counter.Derived(storetest.NewDerived())

	ctx := t.Context()
	list := func(objects store.ObjectReader, prefix string) error {
		for _, err := range objects.List(ctx, prefix, "") {
			if err != nil {
				return err
			}
		}
		return nil
	}
	objectCalls := []struct {
		name string
		call func(o store.Objects) error
	}{
		{"get before there is any", func(o store.Objects) error { _, err := store.ReadObject(ctx, o, "a/1"); return err }},
		{"put", func(o store.Objects) error { return o.PutIfAbsent(ctx, "a/1", strings.NewReader("x")) }},
		{"put again", func(o store.Objects) error { return o.PutIfAbsent(ctx, "a/1", strings.NewReader("x")) }},
		{"get what was put", func(o store.Objects) error { _, err := store.ReadObject(ctx, o, "a/1"); return err }},
		{"range", func(o store.Objects) error { _, err := o.GetRange(ctx, "a/1", 0, 5); return err }},
		{"no bytes", func(o store.Objects) error { _, err := o.GetRange(ctx, "a/1", 0, 0); return err }},
		{"no bytes of nothing", func(o store.Objects) error { _, err := o.GetRange(ctx, "a/2", 0, 0); return err }},
		{"head", func(o store.Objects) error { _, err := o.Head(ctx, "a/1"); return err }},
		{"head of nothing", func(o store.Objects) error { _, err := o.Head(ctx, "a/3"); return err }},
		{"presign", func(o store.Objects) error { _, err := o.PresignGet(ctx, "a/1", "f", time.Minute); return err }},
		{"presign nothing", func(o store.Objects) error { _, err := o.PresignGet(ctx, "a/4", "f", time.Minute); return err }},
		{"list", func(o store.Objects) error { return list(o, "a/") }},
		{"list nothing", func(o store.Objects) error { return list(o, "b/") }},
	}
	for _, c := range objectCalls {
		compareRequests(t, c.name, &meter, counter, func() error { return c.call(s3Objects) }, func() error { return c.call(memObjects) })
	}
	s3Objects = awsstore.NewObjects(client, server.Presigner(), name)
	counter.Forget()
	for _, c := range objectCalls[3:7] { // by an adapter that has seen nothing
		compareRequests(t, "anew: "+c.name, &meter, counter, func() error { return c.call(s3Objects) }, func() error { return c.call(memObjects) })
	}
	s3Objects = awsstore.NewObjects(client, server.Presigner(), name)
	counter.Forget()
	for _, c := range []int{11, 3} { // and by one that has listed
		compareRequests(t, "after "+objectCalls[c].name, &meter, counter, func() error { return objectCalls[c].call(s3Objects) }, func() error { return objectCalls[c].call(memObjects) })
	}

	for _, c := range []struct {
		name string
		call func(d store.Derived) error
	}{
		{"get nothing", func(d store.Derived) error { _, err := store.ReadObject(ctx, d, "a/1"); return err }},
		{"put", func(d store.Derived) error { return d.Put(ctx, "a/1", strings.NewReader("x")) }},
		{"get", func(d store.Derived) error { _, err := store.ReadObject(ctx, d, "a/1"); return err }},
		{"range", func(d store.Derived) error { _, err := d.GetRange(ctx, "a/1", 0, 5); return err }},
		{"no bytes", func(d store.Derived) error { _, err := d.GetRange(ctx, "a/1", 0, 0); return err }},
		{"head", func(d store.Derived) error { _, err := d.Head(ctx, "a/1"); return err }},
		{"list", func(d store.Derived) error { return list(d, "") }},
		{"many", func(d store.Derived) error {
			var g errgroup.Group
			g.SetLimit(16)
			for i := range 1001 {
				g.Go(func() error { return d.Put(ctx, fmt.Sprintf("m/%04d", i), strings.NewReader("")) })
			}
			return g.Wait()
		}},
		{"list many", func(d store.Derived) error { return list(d, "m/") }},
		{"delete nothing", func(d store.Derived) error { return d.Delete(ctx) }},
		{"delete", func(d store.Derived) error { return d.Delete(ctx, "a/1", "a/2") }},
	} {
		compareRequests(t, "derived: "+c.name, &meter, counter, func() error { return c.call(s3Derived) }, func() error { return c.call(memDerived) })
	}
}

func compareRequests(t *testing.T, name string, meter *awsstore.Meter, counter *storetest.RequestCounter, onS3, inMemory func() error) {
	t.Helper()
	meter.Reset()
	counter.Reset()
	err1, err2 := onS3(), inMemory()
	for _, kind := range []error{store.ErrNotFound, store.ErrExists} {
		if errors.Is(err1, kind) != errors.Is(err2, kind) {
			t.Errorf("%s: %v on S3, %v in memory", name, err1, err2)
		}
	}
	sent := meter.Requests()
	got := storetest.Requests{
		Put: sent["PutObject"], Get: sent["GetObject"], Head: sent["HeadObject"],
		List: sent["ListObjectsV2"] + sent["ListObjectVersions"], Delete: sent["DeleteObjects"],
	}
	if want := counter.Count(); got != want {
		t.Errorf("%s: %+v sent, %+v counted", name, got, want)
	}
}

// TestMeterCountsTries: a request that is sent again is billed again.
func TestMeterCountsTries(t *testing.T) {
	var meter awsstore.Meter
	s := &script{replies: []reply{
		{method: http.MethodGet, status: 503, code: "SlowDown"}, {method: http.MethodGet, status: 503, code: "SlowDown"},
		{method: http.MethodGet, status: 200, body: "body"},
	}}
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String("https://s3.example"), Region: "x", UsePathStyle: true, HTTPClient: s, Retryer: patient(),
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		APIOptions:  []func(*middleware.Stack) error{meter.Attach},
	})
	if _, err := store.ReadObject(t.Context(), awsstore.NewDerived(client, "bucket"), "a"); err != nil {
		t.Fatal(err)
	}
	if got := meter.Requests(); len(got) != 1 || got["GetObject"] != 3 {
		t.Errorf("counted %v, want three gets", got)
	}
}
