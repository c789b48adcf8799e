package viewer_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/openapi.json")

// The API is a promise: a change of it shows in the diff of this file.
func TestOpenAPIGolden(t *testing.T) {
	w := newFixture(t).get("", "/v1/openapi.json")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/openapi+json" {
		t.Fatalf("status %d, %s", w.Code, w.Header().Get("Content-Type"))
	}
	var got bytes.Buffer
	if err := json.Indent(&got, w.Body.Bytes(), "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	const golden = "testdata/openapi.json"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the API changed; if that is meant: go test ./shared/viewer -update, and look at the diff of %s", golden)
	}
}

func TestOpenAPIDocument(t *testing.T) {
	f := newFixture(t)
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Security    []map[string][]string
			Responses   map[string]struct{ Content map[string]any }
		}
		Components struct{ Schemas, SecuritySchemes map[string]any }
	}
	raw := f.get("", "/v1/openapi.json").Body.Bytes()
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("OpenAPI %q", doc.OpenAPI)
	}
	for _, path := range []string{"/v1/status", "/v1/conversations", "/v1/conversations/{id}/messages"} {
		op, ok := doc.Paths[path]["get"]
		if !ok || op.OperationID == "" {
			t.Errorf("%s is not described", path)
			continue
		}
		if len(op.Security) != 1 || op.Security[0]["bearer"] == nil || doc.Components.SecuritySchemes["bearer"] == nil {
			t.Errorf("%s does not ask for a bearer token", path)
		}
		for _, status := range []string{"401", "403", "422", "500", "503"} {
			if op.Responses[status].Content["application/problem+json"] == nil {
				t.Errorf("%s: answer %s is not a problem", path, status)
			}
		}
	}
	for _, ref := range regexp.MustCompile(`"#/components/schemas/([^"]*)"`).FindAllSubmatch(raw, -1) {
		if doc.Components.Schemas[string(ref[1])] == nil {
			t.Errorf("%s is not described", ref[1])
		}
	}
	yaml := f.get("", "/v1/openapi.yaml")
	if yaml.Code != 200 || !strings.Contains(yaml.Body.String(), "/v1/conversations/{id}/messages:") {
		t.Errorf("YAML: status %d: %.200s", yaml.Code, yaml.Body)
	}
}
