package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the real program as an operator does; see testdata/script.
func TestScripts(t *testing.T) {
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "203.0.113.7") }))
	t.Cleanup(outside.Close)
	cloud := httptest.NewServer(&fakeCloud{})
	t.Cleanup(cloud.Close)
	testscript.Run(t, testscript.Params{
		Dir:  filepath.Join("testdata", "script"),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"flip": flip, "lose": lose, "named": named},
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", filepath.Dir(program)+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("ECHO", outside.URL)
			e.Setenv("AWS_ENDPOINT_URL", cloud.URL)
			e.Setenv("AWS_REGION", "us-east-1")
			e.Setenv("AWS_ACCESS_KEY_ID", "id")
			e.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
			e.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			return nil
		},
	})
}

// flip changes one bit in the middle of a file: the same again restores it.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	body, err := os.ReadFile(path)
	ts.Check(err)
	body[len(body)/2] ^= 1
	ts.Check(os.WriteFile(path, body, 0o600))
}

// lose removes the first file below a folder.
func lose(ts *testscript.TestScript, _ bool, args []string) {
	done := errors.New("done")
	err := filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return errors.Join(os.Remove(path), done)
	})
	if !errors.Is(err, done) {
		ts.Fatalf("nothing to lose: %v", err)
	}
}

// named sets a variable to the first word of the line of the last output that holds some
// text.
func named(ts *testscript.TestScript, _ bool, args []string) {
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if fields := strings.Fields(line); strings.Contains(line, args[1]) && len(fields) > 0 {
			ts.Setenv(args[0], fields[0])
			return
		}
	}
	ts.Fatalf("no line with %q", args[1])
}

// fakeCloud answers as CloudFormation does about some stacks, and as Lambda does
// for their functions: pullers, one of which fails, and compactors, one of which needs
// three invocations, one gets nowhere, and one is of an older version, and as Parameter
// Store. The bucket of stack locked is in COMPLIANCE mode.
type fakeCloud struct{ slices atomic.Int64 }

func (c *fakeCloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const run = `{"id":"run-1","stage":"puller","pages":3,"envelopes":2500,"stopped":"end"}`
	switch r.URL.Path {
	case "/2015-03-31/functions/good-puller/invocations":
		if event, _ := io.ReadAll(r.Body); strings.Contains(string(event), `"reason":"doctor"`) {
			// It tells what it was told.
			fmt.Fprintf(w, `{"id":"1","where":"puller","lines":[{"check":"address","state":"act","found":{"en":"event: %s","zh":"出口"},"remedy":{"en":"do this","zh":"这样做"}}]}`,
				strings.ReplaceAll(string(event), `"`, ``))
			return
		}
		fmt.Fprint(w, run)
	case "/2015-03-31/functions/bad-puller/invocations":
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		fmt.Fprint(w, `{"errorMessage":"the trusted IP is another one"}`)
	case "/2015-03-31/functions/good-compactor/invocations":
		n := c.slices.Add(1)
		fmt.Fprintf(w, `{"mode":"compact","more":%v,"report":{"months":0,"rounds":1,"messages":%d,"more":%v}}`, n%3 != 0, n, n%3 != 0)
	case "/2015-03-31/functions/bad-compactor/invocations":
		fmt.Fprint(w, `{"mode":"reparse","more":true,"report":{"months":0,"messages":5,"more":true}}`)
	case "/2015-03-31/functions/old-compactor/invocations":
		fmt.Fprint(w, `{"months":3,"messages":5,"more":false}`)
	case "/locked": // a bucket
		if !r.URL.Query().Has("object-lock") {
			http.Error(w, "more than how it locks is asked", http.StatusTeapot)
			return
		}
		fmt.Fprint(w, `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Years>6</Years></DefaultRetention></Rule></ObjectLockConfiguration>`)
	case "/":
		if r.Header.Get("X-Amz-Target") == "AmazonSSM.PutParameter" {
			putParameter(w, r)
			return
		}
		puller := map[string]string{"good": "good-puller", "bad": "bad-puller", "old": "old-puller", "locked": "locked-puller"}[r.FormValue("StackName")]
		if r.FormValue("Action") != "DescribeStacks" || puller == "" {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack does not exist</Message></Error></ErrorResponse>`)
			return
		}
		fmt.Fprint(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><Outputs>`)
		for key, value := range map[string]string{
			"Corp": "ww1", "AuditorBucket": map[bool]string{true: "locked", false: "archive"}[r.FormValue("StackName") == "locked"], "DerivedBucket": "derived", "Table": "index", "QueueUrl": "http://queue", "KeyringKey": "arn:keyring",
			"CaptureKey": "arn:capture", "SecretPrefix": "/wecom-archive/", "OpsKey": "arn:ops", "PullerFunction": puller, "CompactorFunction": strings.TrimSuffix(puller, "puller") + "compactor", "TrustedIp": "203.0.113.7", "SomethingElse": "x",
		} {
			fmt.Fprintf(w, `<member><OutputKey>%s</OutputKey><OutputValue>%s</OutputValue></member>`, key, value)
		}
		fmt.Fprint(w, `</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`)
	default:
		http.Error(w, "no such service here: "+r.URL.Path, http.StatusNotFound)
	}
}

// putParameter takes a secret as Parameter Store does, if it is one that its reader finds
// and nobody else can read.
func putParameter(w http.ResponseWriter, r *http.Request) {
	var put struct {
		Name, Value, Type, KeyId string
		Overwrite                bool
	}
	err := json.NewDecoder(r.Body).Decode(&put)
	want := map[string]string{
		"/wecom-archive/archive-secret": "Zm9vYmFy", "/wecom-archive/signin-client-secret": "Zm9vYmFy", "/wecom-archive/proxy-password": "user:Zm9vYmFy",
	}[put.Name]
	if err != nil || want == "" || put.Value != want || put.Type != "SecureString" || put.KeyId != "arn:ops" || !put.Overwrite {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":"ValidationException","message":"%s of type %s under %s"}`, put.Name, put.Type, put.KeyId)
		return
	}
	fmt.Fprint(w, `{"Version":1,"Tier":"Standard"}`)
}
