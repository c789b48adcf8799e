package pages

import (
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/wecom"
)

// TestDrawingCostsNoMoreForDepth: a record within records is drawn for about what the
// same record costs by itself.
func TestDrawingCostsNoMoreForDepth(t *testing.T) {
	cost := func(depth int) float64 {
		doc := `{"item":[` + strings.Repeat(`{"type":"ChatRecordText","content":"{\"content\":\"word\"}"},`, 500) + `{}]}`
		for range depth {
			doc = `{"item":[{"type":"ChatRecord","content":` + doc + `}]}`
		}
		m := wecom.Parse([]byte(`{"msgtype":"chatrecord","chatrecord":`+doc+`}`), "m", time.Unix(1, 0))
		draw := newBodies(chinese, time.UTC, nil)
		return testing.AllocsPerRun(1, func() { draw.of(m) })
	}
	flat, deep := cost(0), cost(14)
	if deep > 4*flat {
		t.Errorf("drawing allocates %.0f times, 14 levels down %.0f times", flat, deep)
	}
}
