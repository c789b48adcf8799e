package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"

	"wecom-archive/shared/viewer"
)

const (
	// maxAnswer is the size of a Lambda's answer, in bytes as JSON, beyond which
	// Lambda drops it and the client learns nothing. Messages are cut to stay below;
	// this is for what else an answer may hold.
	maxAnswer = 6 << 20
	// answerTime is kept back from the function's time, to say that it ran out.
	answerTime = time.Second
)

// App is the function.
type App struct {
	proxy *httpadapter.HandlerAdapterV2
}

// NewApp serves the API.
func NewApp(c viewer.Config) *App {
	return &App{proxy: httpadapter.NewV2(viewer.New(c))}
}

// Handle is the Lambda handler.
func (a *App) Handle(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	if event.RequestContext.HTTP.Method == "" {
		return events.APIGatewayV2HTTPResponse{}, errors.New("not a request of an HTTP API with payload format 2.0: is the integration set to another format?")
	}
	// An HTTP API hands over the path decoded, in rawPath too. Decoding it again
	// would make another conversation of an id that holds a percent sign.
	event.RawPath = (&url.URL{Path: event.RawPath}).EscapedPath()
	// What cannot become a request the adapter would log, with the URL; and URLs
	// name people.
	if _, err := http.NewRequest(event.RequestContext.HTTP.Method, "https://api"+event.RawPath+"?"+event.RawQueryString, nil); err != nil {
		return problem(http.StatusBadRequest, "The URL or the method cannot be understood. Percent-encode what stands in the URL.", nil), nil
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-answerTime))
		defer cancel()
	}
	response, err := a.proxy.ProxyWithContext(ctx, event)
	if err != nil || !tooLarge(response) {
		return response, err
	}
	return problem(http.StatusUnprocessableEntity, "The answer is larger than can be sent. Ask for less at a time: a smaller limit, or no raw.", response.Headers), nil
}

func tooLarge(r events.APIGatewayV2HTTPResponse) bool {
	if len(r.Body) < maxAnswer/8 { // JSON makes at most six bytes of one
		return false
	}
	doc, err := json.Marshal(r)
	return err != nil || len(doc) > maxAnswer
}

// problem is problem details (RFC 9457), as package api makes them. headers are those
// of the answer that it replaces.
func problem(status int, detail string, headers map[string]string) events.APIGatewayV2HTTPResponse {
	instance := ""
	if id := headers["X-Request-Id"]; id != "" {
		instance = "request:" + id
	}
	doc, _ := json.Marshal(struct { // strings and a number always encode
		Title    string `json:"title"`
		Status   int    `json:"status"`
		Detail   string `json:"detail"`
		Instance string `json:"instance,omitempty"`
	}{http.StatusText(status), status, detail, instance})
	all := map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
	for name, value := range headers {
		all[name] = value
	}
	all["Content-Type"] = "application/problem+json"
	delete(all, "Content-Length")
	return events.APIGatewayV2HTTPResponse{StatusCode: status, Headers: all, Body: string(doc) + "\n"}
}
