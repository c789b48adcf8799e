package show

import (
	"context"
	"fmt"
	"time"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/health"
)

// parsedShown is of how many days the status has the counts.
const parsedShown = PlotDays

// parsedDay is what the parser made of the messages that were pulled on a day.
type parsedDay struct {
	Day         string `json:"day" example:"2026-11-23" doc:"On which they were pulled, in UTC"`
	Messages    int64  `json:"messages" doc:"Readable ones"`
	Unparsed    int64  `json:"unparsed" doc:"Of them, those that could not be parsed, or name nobody: they are kept verbatim, in the conversation unparsed"`
	UnknownType int64  `json:"unknown_type" doc:"Of the others, those of a type that the program does not know"`
}

// parsed are the days that health is judged by, and those that are shown of them.
func (s *Books) parsed(ctx context.Context, now time.Time) (judged []catalog.ParsedDay, shown []parsedDay, err error) {
	judged, err = s.config.Catalog.Pages.ParsedDays(ctx, health.FirstParsedDay(now))
	if err != nil {
		return nil, nil, fmt.Errorf("counting what could be parsed: %w", err)
	}
	shown = []parsedDay{}
	for i := len(judged) - 1; i >= 0 && len(shown) < parsedShown; i-- {
		d := judged[i]
		shown = append(shown, parsedDay{Day: d.Day, Messages: int64(d.Messages), Unparsed: int64(d.Unparsed), UnknownType: int64(d.UnknownType)})
	}
	return judged, shown, nil
}
