package metrics_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/metrics"
)

// TestEmbeddedFormat: a line is what CloudWatch reads as metrics.
func TestEmbeddedFormat(t *testing.T) {
	var out bytes.Buffer
	at := time.UnixMilli(1_795_420_800_123)
	w := metrics.New(&out, "archive", func() time.Time { return at })
	w.Put(metrics.Values{metrics.Pulled: 1200, metrics.LagSeconds: 1.5})
	w.Put(nil)
	(*metrics.Writer)(nil).Put(metrics.Values{metrics.Pulled: 1})
	var line struct {
		AWS struct {
			Timestamp         int64
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name, Unit string }
			}
		} `json:"_aws"`
		Stack              string
		Pulled, LagSeconds float64
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("%q: %v", out.String(), err)
	}
	m := line.AWS.CloudWatchMetrics
	if line.AWS.Timestamp != at.UnixMilli() || line.Stack != "archive" || line.Pulled != 1200 || line.LagSeconds != 1.5 || len(m) != 1 ||
		m[0].Namespace != "wecom-archive" || len(m[0].Dimensions) != 1 || !slices.Equal(m[0].Dimensions[0], []string{"Stack"}) ||
		len(m[0].Metrics) != 2 || m[0].Metrics[0] != struct{ Name, Unit string }{"LagSeconds", "Seconds"} || m[0].Metrics[1] != struct{ Name, Unit string }{"Pulled", "Count"} {
		t.Errorf("%s", out.String())
	}
}

// TestWatched: every metric of ours that an alarm or the dashboard looks at is
// written by a function.
func TestWatched(t *testing.T) {
	root := filepath.Join("..", "..")
	names := constants(t)
	written := map[string]bool{}
	used := regexp.MustCompile(`metrics\.([A-Z]\w+)`)
	err := filepath.WalkDir(filepath.Join(root, "functions"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range used.FindAllStringSubmatch(string(text), -1) {
			if name, ok := names[m[1]]; ok {
				written[name] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	watch, err := os.ReadFile(filepath.Join(root, "infra", "stack", "watch.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	watched := regexp.MustCompile(`Namespace: wecom-archive\s+MetricName: (\w+)|"wecom-archive", "(\w+)"`).FindAllStringSubmatch(string(watch), -1)
	if len(watched) < 15 {
		t.Fatalf("%d metrics are watched", len(watched))
	}
	for _, m := range watched {
		if name := m[1] + m[2]; !written[name] {
			t.Errorf("no function writes %s", name)
		}
	}
	for _, name := range names {
		if !written[name] {
			t.Errorf("%s is named, and no function writes it", name)
		}
	}
}

// constants are the metrics' names by those of their constants.
func constants(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "metrics.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Name" {
				found[spec.Names[0].Name] = strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)
			}
		}
		return true
	})
	if len(found) < 10 {
		t.Fatalf("%d metrics", len(found))
	}
	return found
}
